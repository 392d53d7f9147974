"""Where the regions of an image are, where nobody has drawn them: plain grids, or by its lungs.

Six plain cells instead of 18 annotated regions cost CheXtriev's own runs about two points of mean
average precision.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from encoders.regions.anatomy import USUAL, anatomy
from encoders.regions.crops import Boxes, Gray, RegionError
from encoders.regions.lung_field import fault, lung_field
from encoders.regions.names import REGIONS

Layout = Literal["grid 2x3", "grid 3x6", "anatomy 18"]
_GRIDS = {"grid 2x3": (2, 3), "grid 3x6": (3, 6)}
"""Rows and columns; the published "2x3" does not say which is which."""


@dataclass(frozen=True)
class Regions:
    """The regions of an image.

    Attributes:
        names: of the regions, as `names_of` gives them.
        boxes: left, top, width and height as parts of the image's, float32, shape (regions, 4).
        rule: how they were found: the grid's name, ``lung field``, or ``usual chest: `` and why
            the lung field was not believed.
    """

    names: tuple[str, ...]
    boxes: Boxes
    rule: str


def regions_of(layout: str, pixels: Gray) -> Regions:
    """The regions of an image by a layout; the same ones whenever it is asked.

    Args:
        layout: one of ``Layout``.
        pixels: gray levels, white above black, shape (rows, columns), at least 1 x 1.

    Raises:
        RegionError: there is no such layout, or the image has no pixel or one that is no number.
    """
    names = names_of(layout)
    if pixels.ndim != 2 or not pixels.size:
        raise RegionError(f"an image of shape {pixels.shape} has no regions; it needs a pixel")
    if layout in _GRIDS:
        return Regions(names, _grid(*_GRIDS[layout]), layout)
    if not np.isfinite(pixels).all():
        raise RegionError("the image has NaN or infinity; its gray levels must be numbers")
    field = lung_field(pixels)
    if reason := fault(field):
        return Regions(names, anatomy(USUAL), f"usual chest: {reason}")
    return Regions(names, anatomy(field), "lung field")


def names_of(layout: str) -> tuple[str, ...]:
    """The regions' names in their order.

    Raises:
        RegionError: there is no such layout.
    """
    if layout == "anatomy 18":
        return REGIONS
    if layout not in _GRIDS:
        known = ", ".join(repr(one) for one in get_args(Layout))
        raise RegionError(f"there is no layout {layout!r}; there are {known}")
    rows, columns = _GRIDS[layout]
    return tuple(
        f"row {row + 1} column {column + 1}" for row in range(rows) for column in range(columns)
    )


def _grid(rows: int, columns: int) -> Boxes:
    """Cells of one size without gaps, row by row from the upper left."""
    row, column = (grid.ravel() for grid in np.indices((rows, columns)))
    sides = np.ones(rows * columns)
    found = np.stack([column / columns, row / rows, sides / columns, sides / rows], axis=1)
    return np.asarray(found, np.float32)
