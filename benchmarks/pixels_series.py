"""From the files of a 600-slice CT series to model input, as Markdown tables.

Run ``python -m benchmarks.pixels_series``. A synthetic series of 600 slices of 512 x 512 is
written to a temporary folder, uncompressed and compressed, its files named and numbered in no
order of the slices. Three ways lead to the same 256 x 256 input:

- ours: 600 headers (``dcmread`` up to the pixel data, ``ImageHeader.from_dataset``), the choice
  of the middle slice, ``read_image`` of that one file, the baseline descriptor's resize;
- pydicom, every slice: ``dcmread`` and ``pixel_array`` of 600 files, sorted by
  ImagePositionPatient, modality and VOI LUT of the middle one, the same resize;
- pydicom, headers first: as careful a script as can be written without us, which sorts 600 bare
  headers and decodes the middle slice alone.

Each run is a process of its own, the ways taking turns. The clock starts after the imports; the
peak is the process's resident memory at its highest (VmHWM), imports included and shown apart.
The files have just been written and are read from memory (the page cache), not from the disk.
"""

import argparse
import copy
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from benchmarks.asked_studies import CT, asked_studies
from benchmarks.machine import as_list, provenance
from benchmarks.pixels_ways import WAYS, Run

SLICE_MM = 0.5
NOISE = 15
PRIVATE_ELEMENTS = 110
"""Added to the 60 of a synthetic header: real CT headers hold some 170."""
SYNTAXES = {
    "uncompressed": ExplicitVRLittleEndian,
    "RLE": RLELossless,
    "JPEG 2000": JPEG2000Lossless,
}
ENCODED_BY = {RLELossless: "gdcm", JPEG2000Lossless: "pylibjpeg"}


class DifferentInputError(Exception):
    """Two ways came to different slices or different pixels; the message shows both."""


def in_a_process(way: str, folder: Path) -> Run:
    command = [sys.executable, "-m", "benchmarks.pixels_ways", way, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Run(**json.loads(done.stdout))


def write_series(folder: Path, images: Sequence[Dataset], count: int) -> None:
    """Write ``count`` slices made of ``images`` in turn, each with noise of its own.

    The noise is kept inside the bits stored, so that no slice compresses better than real ones.
    """
    rng = np.random.default_rng(3)
    numbers, names = rng.permutation(count), rng.permutation(count)
    for k in range(count):
        ds = copy.deepcopy(images[k % len(images)])
        stored = ds.pixel_array.astype(np.int32)
        stored += rng.integers(-NOISE, NOISE + 1, stored.shape)
        ds.PixelData = stored.clip(0, 2**ds.BitsStored - 1).astype(np.uint16).tobytes()
        ds.SOPInstanceUID = f"{ds.SeriesInstanceUID[:50]}.{k + 1}"
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.InstanceNumber = int(numbers[k]) + 1
        ds.ImagePositionPatient = [*ds.ImagePositionPatient[:2], 1500 - k * SLICE_MM]
        ds.WindowCenter, ds.WindowWidth = 40, 400
        ds.save_as(folder / f"{names[k]:04d}", enforce_file_format=True)


def write_compressed(folder: Path, series: Path, syntax: UID) -> None:
    for path in series.iterdir():
        ds = dcmread(path)
        ds.compress(syntax, encoding_plugin=ENCODED_BY[syntax], generate_instance_uid=False)
        ds.save_as(folder / path.name, enforce_file_format=True)


def write_all(parent: Path, names: Sequence[str], count: int) -> dict[str, Path]:
    """The folders of the series asked for, by their names in ``SYNTAXES``."""
    folders = {name: parent / name for name in ("uncompressed", *names)}
    for name, folder in folders.items():
        folder.mkdir()
        if name == "uncompressed":
            write_series(folder, unsigned_ct(), count)
        else:
            write_compressed(folder, folders["uncompressed"], SYNTAXES[name])
    return {name: folders[name] for name in names}


def unsigned_ct() -> list[Dataset]:
    """The slices of a synthetic CT study whose values are stored unsigned, 512 x 512."""
    found = (images for images in asked_studies(CT) if images[0].PixelRepresentation == 0)
    images = next(found)
    for ds in images:
        block = ds.private_block(0x0009, "LIKENESS BENCHMARK", create=True)
        for number in range(PRIVATE_ELEMENTS):
            block.add_new(number, "LO", f"parameter {number}")
    return images


def measured(folders: dict[str, Path], runs: int) -> dict[tuple[str, str], list[Run]]:
    """All runs by series and way; the ways take turns within each series.

    Raises:
        DifferentInputError: not every way came to the same slice and nearly the same pixels.
    """
    found: dict[tuple[str, str], list[Run]] = {}
    for _ in range(runs):
        for series, folder in folders.items():
            for way in WAYS:
                run = in_a_process(way, folder)
                found.setdefault((series, way), []).append(run)
                first = found[series, "ours"][0]
                same = run.sop_instance_uid == first.sop_instance_uid
                if not same or abs(run.mean - first.mean) > 1e-3:
                    raise DifferentInputError(f"{series}: {way} found {run}, ours {first}")
    return found


def tables(found: dict[tuple[str, str], list[Run]]) -> Iterator[str]:
    """Yield the lines of both Markdown tables."""
    yield (
        "| series | way | time, median | least to greatest | of ours | peak memory "
        "| of it imports | peak of ours |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for (series, way), runs in found.items():
        times, reference = [run.seconds for run in runs], found[series, "ours"]
        middle, peak = float(np.median(times)), _peak(runs)
        columns = (
            f"{middle:.2f} s",
            f"{min(times):.2f} to {max(times):.2f} s",
            f"{middle / float(np.median([run.seconds for run in reference])):.1f} x",
            f"{peak:.0f} MiB",
            f"{float(np.median([run.before for run in runs])):.0f} MiB",
            f"{peak / _peak(reference):.1f} x",
        )
        yield f"| {series} | {way} | {' | '.join(columns)} |"
    yield "\nWhere the time goes, medians:\n"
    for (series, way), runs in found.items():
        parts = (
            f"{part} {1000 * float(np.median([run.parts[part] for run in runs])):.0f} ms"
            for part in runs[0].parts
        )
        yield f"- {series}, {way}: {', '.join(parts)}"


def _peak(runs: Sequence[Run]) -> float:
    return float(np.median([run.peak for run in runs]))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add("--runs", type=int, default=5, help="of each way through each series (5)")
    add("--slices", type=int, default=600, help="of the series (600)")
    add("--series", action="append", choices=SYNTAXES, help="may be repeated (uncompressed, RLE)")
    return made


def main() -> None:
    options = parser().parse_args()
    told = provenance("benchmarks.pixels_series")
    with tempfile.TemporaryDirectory(prefix="likeness-") as name:
        folders = write_all(Path(name), options.series or ("uncompressed", "RLE"), options.slices)
        found = measured(folders, options.runs)
    print("\n".join((*tables(found), "", *as_list(told))))


if __name__ == "__main__":
    main()
