"""One image decoded and windowed: ours, pydicom's functions and DCMTK's command, as a table.

Run ``python -m benchmarks.pixels_single --data FOLDER``, where FOLDER holds the real images
in ``dicom/syntaxes``, ``formats`` and ``chest``. One image for each transfer syntax, in two sizes
where there are two; the four ways take turns. What each includes:

- DCMTK: ``dcmj2pnm`` (``dcml2pnm`` for JPEG-LS) as a whole process: its start, reading the file,
  decoding, the window that our rules name, writing 8-bit grey levels to a file;
- ours, cold: the same of a new Python process: its start and imports, ``read_image``, writing
  the same 8-bit grey levels;
- ours, warm: ``read_image`` on the file in a process that has read an image before, float32 in
  memory, nothing written: what the worker does image after image;
- pydicom, warm: ``dcmread``, ``pixel_array``, ``apply_modality_lut``, ``apply_voi_lut`` likewise.
  It does not invert MONOCHROME1, knows no padding, windows only where the file has a window, and
  decodes all frames. Its first choice for JPEG 2000, GDCM, works on all cores; ours on one.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.uid import UID

from benchmarks.machine import as_list, provenance
from encoders.elements import READ_ERRORS
from encoders.grayscale import read_image
from tests.encoders.dcmtk import JPEG_2000, command_of, window_options

IMAGES = (
    *(f"syntaxes/RG3_{name}" for name in ("UNC", "RLE", "JPLL", "JLSL", "JLSN", "JPLY", "J2KR")),
    *(f"syntaxes/CT2_{name}" for name in ("UNC", "RLE", "JPLL", "JLSL", "JLSN", "J2KR", "J2KI")),
    "formats/emri_small_big_endian",
    "formats/HTJ2KLossless_08_RGB",
    "chest/chest_pa",
)
COLD = """
import sys
from pathlib import Path
from encoders.grayscale import read_image
pixels = read_image(Path(sys.argv[1])).pixels
Path(sys.argv[2]).write_bytes((pixels * 255).astype("uint8").tobytes())
"""

Way = Callable[[], object]


@dataclass(frozen=True)
class Timed:
    """One image: its file, size and transfer syntax, and seconds of every run by way."""

    name: str
    size: str
    transfer_syntax: UID
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def median(self, way: str) -> float | None:
        """Median seconds; None where the way cannot read the image."""
        return float(np.median(self.seconds[way])) if way in self.seconds else None


def ways_of(path: Path, folder: Path) -> dict[str, Way]:
    """What can read the image, by name."""
    ds = dcmread(path, stop_before_pixels=True)
    out = str(folder / "out")
    frame = (int(ds.get("NumberOfFrames") or 1) - 1) // 2
    ways: dict[str, Way] = {
        "warm": lambda: read_image(path),
        "cold": lambda: _process([sys.executable, "-c", COLD, str(path), out]),
    }
    if ds.file_meta.TransferSyntaxUID not in JPEG_2000:
        options = ["-O", "+F", str(frame + 1), *window_options(ds, read_image(path))]
        command = [command_of(ds.file_meta.TransferSyntaxUID), *options, "+op", str(path), out]
        ways["dcmtk"] = lambda: _process(command)
    try:
        by_pydicom(path, frame)
    except READ_ERRORS:
        return ways  # the table says so
    return ways | {"pydicom": lambda: by_pydicom(path, frame)}


def by_pydicom(path: Path, frame: int) -> object:
    ds = dcmread(path)
    stored = ds.pixel_array
    one = stored[frame] if "NumberOfFrames" in ds and ds.NumberOfFrames > 1 else stored
    return apply_voi_lut(apply_modality_lut(one, ds), ds)


def _process(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


def measure(path: Path, runs: int, folder: Path) -> Timed:
    ds = dcmread(path, stop_before_pixels=True)
    timed = Timed(path.stem, f"{ds.Columns} x {ds.Rows}", ds.file_meta.TransferSyntaxUID)
    ways = ways_of(path, folder)
    for run in range(runs + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if run:  # the first fills the caches
                timed.seconds.setdefault(name, []).append(time.perf_counter() - began)
    return timed


def table(timings: Sequence[Timed]) -> Iterator[str]:
    """Yield the lines of the Markdown table."""
    yield (
        "| transfer syntax | image | size | DCMTK | ours, cold | of DCMTK | ours, warm | of DCMTK "
        "| pydicom, warm | ours of pydicom |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for timed in timings:
        dcmtk, cold, warm, pydicom = map(timed.median, ("dcmtk", "cold", "warm", "pydicom"))
        cells = (
            _short(timed.transfer_syntax),
            timed.name,
            timed.size,
            _ms(dcmtk),
            _ms(cold),
            _ratio(cold, dcmtk),
            _ms(warm),
            _ratio(warm, dcmtk),
            _ms(pydicom),
            _ratio(warm, pydicom),
        )
        yield f"| {' | '.join(cells)} |"


def _short(syntax: UID) -> str:
    return syntax.name.partition(",")[0].replace(" Image Compression", "")


def _ms(seconds: float | None) -> str:
    return "cannot read" if seconds is None else f"{1000 * seconds:.1f} ms"


def _ratio(seconds: float | None, of: float | None) -> str:
    return "" if seconds is None or of is None else f"{seconds / of:.2f} x"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add("--data", type=Path, required=True, metavar="FOLDER", help="the folder that holds dicom")
    add("--runs", type=int, default=7, help="of each way with each image (7)")
    return made


def main() -> None:
    options = parser().parse_args()
    told = provenance("benchmarks.pixels_single")
    shown = subprocess.run(["dcmj2pnm", "--version"], check=True, capture_output=True, text=True)
    told["DCMTK"] = shown.stdout.splitlines()[0].strip("$ ").removeprefix("dcmtk: ")
    with tempfile.TemporaryDirectory(prefix="likeness-") as folder:
        paths = [options.data / "dicom" / f"{name}.dcm" for name in IMAGES]
        timings = [measure(path, options.runs, Path(folder)) for path in paths]
    print("\n".join((*table(timings), "", *as_list(told))))


if __name__ == "__main__":
    main()
