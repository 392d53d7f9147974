"""The time until a reader sees the page whole, at 10,000 studies, as a Markdown table.

Run ``python -m benchmarks.page``. A PostgreSQL of the run's own gets so many studies with one
radiograph each: a random vector near one of some hundred others, one to three labels, and a
picture of up to 512 pixels as the node keeps them (synthetic radiographs, every row its own copy).
The node's HTTP service answers over it, and headless Chromium asks: the clock runs from the
navigation until the page is loaded and every picture that is in sight is decoded. The first page
after the start loads the index and counts the choices of the filters (cold); each later one is
of another study, in a browser without a cache (warm); one is had again with it (again).
"""

import argparse
import io
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from pydicom.dataset import Dataset
from sqlalchemy import Engine, select, text, update
from sqlalchemy.engine import Connection
from tqdm import tqdm

from benchmarks.machine import as_list, provenance
from evaluation.synthetic.archive import make_study
from storage import embeddings, labels, spaces, studies
from storage.answer import ImageReference, Label, SpaceSummary
from storage.database import connect
from storage.embedded import EmbeddedServer
from storage.embeddings import NewEmbedding
from storage.labels import LabelLine
from storage.migrate import migrate
from storage.received import ReceivedInstance
from storage.tables import Study
from tests.conftest import find_free_port
from tests.dicom_node.page_server import page_service
from tests.storage.made import NODE, received

CHROMIUM = "/usr/bin/chromium"
TARGET_S = 1.0
DIMENSION = 768
CLUSTERS = 100
PICTURES = 40
BATCH = 500
SPACE = SpaceSummary("0123456789abcdef", "made", "1", "", "1", "1", "1", "mean", 768, "cosine")
LABELS = tuple(f"Finding {letter}" for letter in "ABCDEFGHIJKLMN")

WHOLE = """
async () => {
  const inSight = (image) => {
    const box = image.getBoundingClientRect();
    return box.top < innerHeight && box.bottom > 0;
  };
  const images = [...document.images].filter((image) => image.loading !== "lazy" || inSight(image));
  await Promise.all(images.map((image) => image.decode()));
  return images.length;
}
"""


def picture(dataset: Dataset) -> bytes:
    """A PNG as the node keeps it, though windowed by percentiles only."""
    values = dataset.pixel_array.astype(np.float64)
    low, high = np.percentile(values, (1, 99))
    gray = Image.fromarray((255 * np.clip((values - low) / (high - low), 0, 1)).astype(np.uint8))
    gray.thumbnail((512, 512))
    buffer = io.BytesIO()
    gray.save(buffer, "PNG")
    return buffer.getvalue()


def fill(engine: Engine, count: int) -> int:
    """Writes the studies; returns how many bytes a picture has, in the mean."""
    random = np.random.default_rng(1)
    made = (make_study(number, modality="DX").datasets[0] for number in range(PICTURES))
    pictures = [picture(dataset) for dataset in tqdm(made, "pictures", PICTURES, disable=None)]
    centres = random.standard_normal((CLUSTERS, DIMENSION))
    with engine.begin() as connection:
        spaces.use(connection, SPACE)
    for first in tqdm(range(0, count, BATCH), "studies", disable=None):
        numbers = range(first, min(first + BATCH, count))
        noise = random.standard_normal((len(numbers), DIMENSION))
        vectors = centres[random.integers(CLUSTERS, size=len(numbers))] + noise
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        with engine.begin() as connection:
            write(connection, numbers, vectors.astype(np.float32), pictures)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))  # as autovacuum has done in an archive
    return sum(map(len, pictures)) // PICTURES


def write(
    connection: Connection,
    numbers: Sequence[int],
    vectors: NDArray[np.float32],
    pictures: Sequence[bytes],
) -> None:
    """Writes one batch of indexed studies."""
    studies.record_all(connection, [arrived(number) for number in numbers], received_by=NODE)
    rows = dict(
        connection.execute(
            select(Study.study_instance_uid, Study.id).where(
                Study.study_instance_uid.in_([uid_of(number) for number in numbers])
            )
        ).all()
    )
    said = []
    for number, vector in zip(numbers, vectors, strict=True):
        uid = uid_of(number)
        new = NewEmbedding(image_of(number), vector, pictures[number % PICTURES], {})
        embeddings.replace(connection, space=SPACE, study_id=rows[uid], new=[new])
        names = {LABELS[number * step % len(LABELS)] for step in (1, 3, 5)}
        said += [LabelLine(uid, Label(name)) for name in names]
    labels.store(connection, said, source="made")
    connection.execute(update(Study).where(Study.id.in_(rows.values())).values(state="indexed"))


def uid_of(number: int) -> str:
    return f"1.2.3.{number}"


def arrived(number: int) -> ReceivedInstance:
    return replace(
        received(uid_of(number), f"{uid_of(number)}.1.1", patient=f"P{number}"),
        sex="FM"[number % 2],
        age=20 + number % 70,
        study_date=f"20{10 + number % 15}{1 + number % 12:02}{1 + number % 28:02}",
    )


def image_of(number: int) -> ImageReference:
    return ImageReference(
        series_instance_uid=f"{uid_of(number)}.1",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.1.1",
        sop_instance_uid=f"{uid_of(number)}.1.1",
        frame_number=None,
        modality="CR" if number % 3 == 0 else "DX",
        body_part="CHEST" if number % 10 else "ABDOMEN",
        view="AP" if number % 4 == 0 else "PA",
    )


def seconds(page: Page, address: str) -> float:
    """From the navigation until all is loaded, and decoded what is in sight."""
    began = time.perf_counter()
    page.goto(address, wait_until="load")
    shown = page.evaluate(WHOLE)
    taken = time.perf_counter() - began
    if shown < 2:
        raise SystemExit(f"{address} shows {shown} pictures: {page.inner_text('body')[:300]}")
    return taken


def measure(
    browser: Browser, url: str, runs: int, window: tuple[int, int]
) -> dict[str, list[float]]:
    """Seconds of the first page, of pages without a cache, and of pages had again."""
    found: dict[str, list[float]] = {"cold": [], "warm": [], "again": []}
    for run in range(runs + 1):
        address = f"{url}/ui/studies/{uid_of(7 * run)}"
        context = browser.new_context(viewport={"width": window[0], "height": window[1]})
        page = context.new_page()
        found["warm" if run else "cold"].append(seconds(page, address))
        found["again"].append(seconds(page, address))
        context.close()
    return found


def table(found: dict[str, list[float]]) -> Iterator[str]:
    yield "| page | runs | median | p95 | max |"
    yield "|---|---|---|---|---|"
    for name, times in found.items():
        told = (float(np.median(times)), float(np.percentile(times, 95)), max(times))
        yield f"| {name} | {len(times)} | {' | '.join(f'{1000 * t:.0f} ms' for t in told)} |"


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def run(options: argparse.Namespace, folder: Path) -> tuple[int, dict[str, list[float]]]:
    server = EmbeddedServer(folder / "postgres")
    engine = connect(server.url)
    try:
        migrate(engine)
        mean = fill(engine, options.studies)
        port = find_free_port()
        with page_service(engine, folder, port) as (url, _), chromium() as browser:
            browser.new_page().close()  # its own start is not the page's
            return mean, measure(browser, url, options.runs, (options.width, options.height))
    finally:
        engine.dispose()
        server.close()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--width", type=int, default=1280, help="of the window")
    parser.add_argument("--height", type=int, default=800, help="of the window")
    options = parser.parse_args()
    told = provenance("benchmarks.page")
    with tempfile.TemporaryDirectory(prefix="likeness-") as folder:
        mean, found = run(options, Path(folder))
    print("\n".join((*table(found), "", *as_list(told))))
    print(f"- pictures: {mean:,} bytes in the mean")
    met = float(np.median(found["warm"])) <= TARGET_S
    print(f"\nwarm page within {TARGET_S:g} s: {'met' if met else 'not met'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
