"""VOI LUT: modality units to display values in [0, 1] (PS3.3 C.11.2; enhanced: C.7.6.16.2.10)."""

from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from encoders.alternatives import Alternative, choose_alternative
from encoders.elements import items, named, numbers, text, texts
from encoders.functional_groups import holders
from encoders.image import PixelError
from encoders.lookup_table import LookupTable, read_lookup_table

VoiFunction = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]


@dataclass(frozen=True)
class Window:
    """Window centre and width in modality units, and the VOI LUT Function that uses them."""

    center: float
    width: float
    function: VoiFunction = "LINEAR"

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Display values in [0, 1]; same shape, float64."""
        return _FUNCTIONS[self.function](values, self.center, self.width)


@dataclass(frozen=True)
class VoiTable:
    """A VOI LUT Sequence's table, its output scaled to [0, 1]."""

    table: LookupTable

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Display values in [0, 1]; same shape, float64."""
        scaled: NDArray[np.float64] = self.table(values) / (2**self.table.bits - 1)
        return scaled


VoiLut = Window | VoiTable


@dataclass(frozen=True)
class ChosenVoi:
    """An object's VOI LUT, and which of its alternatives it is."""

    voi: VoiLut
    alternative: Alternative


def read_voi_lut(
    ds: Dataset, frame: int, *, signed: bool, body_part: str | None = None
) -> ChosenVoi | None:
    """The VOI LUT of one frame, or None where the object gives none.

    Looked for in the frame's Frame VOI LUT Sequence, the shared one, then at the root. Tables
    and windows are alternative views of one image (PS3.3 C.11.2.1): tables are taken before
    windows, and of several the one that ``encoders.alternatives`` chooses. A centre without a
    width, or a width without a centre, is no window.

    Args:
        ds: the object.
        frame: index of the frame, from 0.
        signed: whether modality units can be negative, for the first value of a table.
        body_part: what the image shows, upper case, or None.

    Raises:
        PixelError: a width that the function does not allow, an unknown function, a value that
            is no number, or a table that cannot be read.
    """
    tables = items(ds, "VOILUTSequence")
    if tables:
        explanations = [text(item, "LUTExplanation") for item in tables]
        taken = choose_alternative(explanations, len(tables), body_part)
        return ChosenVoi(VoiTable(read_lookup_table(tables[taken.index], signed=signed)), taken)
    for holder in holders(ds, "FrameVOILUTSequence", frame):
        centers, widths = numbers(holder, "WindowCenter"), numbers(holder, "WindowWidth")
        if centers and widths:
            explanations = list(texts(holder, "WindowCenterWidthExplanation"))
            count = min(len(centers), len(widths))
            taken = choose_alternative(explanations, count, body_part)
            function = text(holder, "VOILUTFunction")
            return ChosenVoi(_window(centers[taken.index], widths[taken.index], function), taken)
    return None


def _window(center: float, width: float, name: str | None) -> Window:
    function = name or "LINEAR"  # PS3.3 C.11.2.1.3: LINEAR where absent
    if function not in get_args(VoiFunction):
        raise PixelError(
            f"{named('VOILUTFunction')} is {function[:20]!r}, which PS3.3 does not know"
        )
    # PS3.3 C.11.2.1.2.1 asks for a width of at least 1, C.11.2.1.3 for one above 0
    if width < 1 and function == "LINEAR":
        raise PixelError(f"{named('WindowWidth')} is {width:g}; LINEAR needs at least 1")
    if width <= 0:
        raise PixelError(f"{named('WindowWidth')} is {width:g}; {function} needs more than 0")
    return Window(center, width, cast("VoiFunction", function))


def _linear(x: NDArray[np.float64], center: float, width: float) -> NDArray[np.float64]:
    # PS3.3 C.11.2.1.2.1 with ymin 0 and ymax 1. A width of 1 is a step: the first line only.
    if width == 1:
        return (x > center - 0.5).astype(np.float64)
    return np.clip((x - (center - 0.5)) / (width - 1) + 0.5, 0.0, 1.0)


def _linear_exact(x: NDArray[np.float64], center: float, width: float) -> NDArray[np.float64]:
    return np.clip((x - center) / width + 0.5, 0.0, 1.0)  # PS3.3 C.11.2.1.3.2


def _sigmoid(x: NDArray[np.float64], center: float, width: float) -> NDArray[np.float64]:
    # PS3.3 C.11.2.1.3.1; the exponent is bounded, beyond it the result is 0 or 1 in float32
    return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (x - center) / width, -100.0, 100.0)))


_FUNCTIONS = {"LINEAR": _linear, "LINEAR_EXACT": _linear_exact, "SIGMOID": _sigmoid}
