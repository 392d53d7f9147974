"""The pictures of the README: the page in Orthanc, of synthetic studies, in headless Chromium.

Run ``python -m benchmarks.screenshots --write FOLDER``. Orthanc with its web viewer and the
plug-in, a node beside it, and a synthetic archive that comes through the plug-in. FOLDER gets
``page.png`` (the answer) and ``side-by-side.png`` (the query and a hit in two web viewers), and
``page-light.png``, ``viewer.png`` and ``explorer.png`` to look at.
"""

import argparse
import tempfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

from playwright.sync_api import Browser, ElementHandle, Frame, Page, ViewportSize
from pydicom import Dataset

from evaluation.synthetic import SyntheticStudy, make_study
from evaluation.synthetic.archive import archive, write_labels
from tests.end_to_end.reading_room import ReadingRoom, chromium, reading_room, wait_for_image

SIZE: ViewportSize = {"width": 1440, "height": 900}
ASKED = 109
"""The last of a block of 11 is a follow-up, so that there is a prior to show."""


def fill(room: ReadingRoom, folder: Path, count: int) -> tuple[SyntheticStudy, SyntheticStudy]:
    """Puts a synthetic archive into Orthanc; a radiograph with a prior, and a CT, to ask with."""
    studies = [*archive(count), make_study(ASKED)]
    files = [to_bytes(dataset) for study in studies for dataset in study.datasets]
    with ThreadPoolExecutor(4) as uploads:
        list(uploads.map(lambda file: room.orthanc.ask("POST", "/instances", file), files))
    room.wait_until_searchable([study.study_instance_uid for study in studies], 900)
    write_labels(studies, folder / "labels.csv")
    room.node.likeness("labels", "import", str(folder / "labels.csv"))
    return studies[-1], next(study for study in studies if study.modality == "CT")


def to_bytes(dataset: Dataset) -> bytes:
    """A data set as a DICOM file."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def shoot(room: ReadingRoom, browser: Browser, asked: SyntheticStudy, ct: str, to: Path) -> None:
    """Takes the pictures."""
    page = browser.new_page(viewport=SIZE)
    address = room.address(f"likeness/ui/studies/{asked.study_instance_uid}")
    open_page(page, address)
    page.screenshot(path=to / "page.png")
    page.locator("[data-toggle=theme]").click()
    page.screenshot(path=to / "page-light.png")
    page.locator("[data-toggle=theme]").click()
    open_page(page, room.address(f"likeness/ui/studies/{ct}"))
    page.locator("#hits > .card [data-open]").first.click()
    for frame in page.locator("#sides iframe").element_handles():
        wait_for_image(content_of(frame))
    page.screenshot(path=to / "side-by-side.png")
    series = asked.datasets[0].SeriesInstanceUID
    open_page(page, f"{address}?viewer={series}")
    wait_for_image(content_of(page.locator("#viewing iframe").element_handle()))
    page.screenshot(path=to / "viewer.png")
    page.goto(room.address(f"app/explorer.html#study?uuid={room.lookup(asked.study_instance_uid)}"))
    page.get_by_role("link", name="Similar studies").wait_for()
    page.screenshot(path=to / "explorer.png")


def open_page(page: Page, address: str) -> None:
    """Opens a page, all its pictures decoded."""
    page.goto(address)
    page.evaluate("document.querySelectorAll('img').forEach(it => it.loading = 'eager')")
    page.wait_for_function("[...document.images].every(it => it.complete && it.naturalWidth)")


def content_of(element: ElementHandle) -> Frame:
    """The page in an iframe."""
    frame = element.content_frame()
    assert frame is not None
    return frame


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--count", type=int, default=110, help="studies in the archive")
    chosen = parser.parse_args()
    chosen.write.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, reading_room(Path(folder)) as room:
        asked, ct = fill(room, Path(folder), chosen.count)
        with chromium() as browser:
            shoot(room, browser, asked, ct.study_instance_uid, chosen.write)


if __name__ == "__main__":
    main()
