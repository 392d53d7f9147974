"""One way from the files of a CT series to model input, measured in this process alone.

``benchmarks.pixels_series`` runs it as ``python -m benchmarks.pixels_ways WAY FOLDER`` and says
there what the ways are. It stands apart so that the measured process imports nothing else.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from encoders.choice import choose_images
from encoders.descriptor_resize import resize
from encoders.grayscale import read_image
from encoders.header import ImageHeader

SIZE = 256

Input = NDArray[np.float32]


@dataclass(frozen=True)
class Run:
    """One way through one series, in a process of its own.

    Attributes:
        seconds: of the whole way, and of its parts by name.
        before, peak: resident memory after the imports, and at its highest, in MiB.
        sop_instance_uid: of the slice it came to.
        mean: of the model input.
    """

    seconds: float
    parts: dict[str, float]
    before: float
    peak: float
    sop_instance_uid: str
    mean: float


class Clock:
    """Seconds from one mark to the next, by name."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self._last = time.perf_counter()

    def mark(self, part: str) -> None:
        """Say what the time since the last mark was spent on."""
        now = time.perf_counter()
        self.parts[part] = now - self._last
        self._last = now


def ours(files: Sequence[Path], clock: Clock) -> tuple[str, Input]:
    by_uid, headers = {}, []
    for path in files:
        header = ImageHeader.from_dataset(dcmread(path, stop_before_pixels=True))
        by_uid[header.sop_instance_uid] = path
        headers.append(header)
    clock.mark("headers")
    (chosen,) = choose_images(headers).chosen
    clock.mark("choice")
    image = read_image(by_uid[chosen.header.sop_instance_uid], chosen.frame)
    clock.mark("decode, window")
    made = resize(image.pixels, SIZE)
    clock.mark("resize")
    return chosen.header.sop_instance_uid, made


def every_slice(files: Sequence[Path], clock: Clock) -> tuple[str, Input]:
    slices = [dcmread(path) for path in files]
    clock.mark("read")
    for ds in slices:
        ds.pixel_array  # noqa: B018  decodes, and keeps the array with the dataset
    clock.mark("decode")
    slices.sort(key=_z)
    return _finished(slices[(len(slices) - 1) // 2], clock)


def headers_first(files: Sequence[Path], clock: Clock) -> tuple[str, Input]:
    placed = [(_z(dcmread(path, stop_before_pixels=True)), path) for path in files]
    clock.mark("headers")
    _, path = sorted(placed)[(len(placed) - 1) // 2]
    return _finished(dcmread(path), clock)


def _z(ds: Dataset) -> float:
    return float(ds.ImagePositionPatient[2])


def _finished(ds: Dataset, clock: Clock) -> tuple[str, Input]:
    units = apply_modality_lut(ds.pixel_array, ds)
    shown = apply_voi_lut(units, ds).astype(np.float32)
    low, high = float(shown.min()), float(shown.max())  # the slice fills its window
    clock.mark("middle slice, window")
    made = resize((shown - low) / (high - low), SIZE)
    clock.mark("resize")
    return str(ds.SOPInstanceUID), made


WAYS: dict[str, Callable[[Sequence[Path], Clock], tuple[str, Input]]] = {
    "ours": ours,
    "pydicom, every slice": every_slice,
    "pydicom, headers first": headers_first,
}


def resident(what: str) -> float:
    """Resident memory of this process in MiB: VmRSS now, VmHWM at its highest.

    ``getrusage`` would not do: after a fork it starts from the parent's.
    """
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1024
    raise LookupError(what)


def one_run(way: str, folder: Path) -> Run:
    files = sorted(folder.iterdir())
    before = resident("VmRSS")
    clock = Clock()
    uid, made = WAYS[way](files, clock)
    seconds = sum(clock.parts.values())
    return Run(seconds, clock.parts, before, resident("VmHWM"), uid, float(made.mean()))


if __name__ == "__main__":
    print(json.dumps(asdict(one_run(sys.argv[1], Path(sys.argv[2])))))
