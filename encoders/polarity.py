"""Whether a finished image looks like a negative: a measured flag that never flips anything.

In a radiograph, CT or MR as it should be displayed, what lies off both middle lines is dark: air
around the body, direct exposure in the corners, and in a chest the lungs. In a negative all of
that is bright. So the statistic asks where the darkest and the brightest tenth of the image lie.
How often that is right, on which images: docs/benchmarks.md, "Polarity".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.descriptor_resize import resize

Cells = NDArray[np.float64]

_SIZE = 32
_TAIL = 10  # the darkest and the brightest tenth
_FLAT = 0.15
_LEAST = 8
_LEVEL = 1 / 255
_SUSPECT_BELOW = -0.05  # chosen on half of the images of benchmarks/polarity.py


@dataclass(frozen=True)
class PolarityEvidence:
    """What the pixels say about polarity.

    Attributes:
        value: in [-1, 1]; above 0 as an image should look, below 0 like its negative, and 0 where
            there is no evidence.
        suspect: whether the value is low enough to have a person look at the polarity.
    """

    value: float
    suspect: bool


def measure_polarity(
    pixels: NDArray[np.float32], padded: NDArray[np.bool_] | None = None
) -> PolarityEvidence:
    """Measure whether a displayed image looks like a negative.

    The value is measured twice, on the whole image and on what is left without flat bands along
    the sides, and counts as the weaker of the two where both have one sign, else as 0. The bands
    are collimation, white where a negative's would be black, or a frame that someone added.
    Turning or mirroring the image leaves the value as it is; inverting it changes the sign.

    It says nothing of ultrasound that fills the image, nor of other pictures without surroundings.

    Args:
        pixels: float32 in [0, 1], shape (rows, columns), 0 black, after VOI LUT and polarity.
        padded: True where a pixel is padding (PS3.3 C.7.5.1.1.2) and is left out; same shape.
    """
    if min(pixels.shape) < _LEAST:
        return PolarityEvidence(0.0, suspect=False)
    cells = _cells(pixels, padded)
    value = round(_weaker(_evidence(cells), _evidence(_without_bands(cells))), 4)
    return PolarityEvidence(value, suspect=value < _SUSPECT_BELOW)


def _cells(pixels: NDArray[np.float32], padded: NDArray[np.bool_] | None) -> Cells:
    """Mean of what is seen in each of 32 x 32 cells; NaN where that is less than half a cell."""
    if padded is None:
        return resize(pixels, _SIZE).astype(np.float64)
    share = resize((~padded).astype(np.float32), _SIZE)
    total = resize(np.where(padded, np.float32(0), pixels), _SIZE)
    cells: Cells = np.full(share.shape, np.nan)
    np.divide(total, share, out=cells, where=share >= 0.5)
    return cells


def _evidence(cells: Cells) -> float:
    """How much farther off the middle lines the darkest tenth lies than the brightest."""
    ranked = np.sort(cells[~np.isnan(cells)])
    if min(cells.shape) < _LEAST or len(ranked) < _LEAST**2:
        return 0.0
    dark, bright = ranked[len(ranked) // _TAIL], ranked[-1 - len(ranked) // _TAIL]
    if bright - dark <= _LEVEL:
        return 0.0
    off = _off_middle_lines(*cells.shape)
    # half a level of tolerance, so that rounding never splits a background of one value
    among_dark, among_bright = cells <= dark + _LEVEL / 2, cells >= bright - _LEVEL / 2
    return float(off[among_dark].mean() - off[among_bright].mean())


def _off_middle_lines(rows: int, columns: int) -> Cells:
    """Distance to the nearer middle line of the image: 0 on a line, 1 in a corner."""
    down = np.abs((np.arange(rows) + 0.5) / rows * 2 - 1)
    across = np.abs((np.arange(columns) + 0.5) / columns * 2 - 1)
    return np.minimum.outer(down, across)


def _without_bands(cells: Cells) -> Cells:
    """Cut flat rows and columns off all four sides, until none is left; may turn the image.

    A part of a flat line is flat too, so the order of the sides does not matter.
    """
    turns = 0
    while turns < 4 and min(cells.shape) >= _LEAST:
        if _flat(cells[0]):
            cells, turns = cells[1:], 0
        else:
            cells, turns = np.rot90(cells), turns + 1
    return cells


def _flat(line: Cells) -> bool:
    seen = line[~np.isnan(line)]
    return seen.size == 0 or bool(np.ptp(seen) < _FLAT)


def _weaker(whole: float, field: float) -> float:
    if whole * field <= 0:
        return 0.0
    return min(whole, field, key=abs)
