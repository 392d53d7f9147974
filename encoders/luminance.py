"""Colour to gray: luminance of what a viewer would show."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from encoders.elements import READ_ERRORS, explain
from encoders.image import PixelError

# ITU-R BT.601 luma, the Y of PS3.3 C.7.6.3.1.2
_RED, _GREEN, _BLUE = np.float32(0.299), np.float32(0.587), np.float32(0.114)
_ROWS = 64  # worked at once, so that temporary arrays stay small


def luminance(rgb: NDArray[Any], bits: int) -> NDArray[np.float32]:
    """Luminance ``0.299 R + 0.587 G + 0.114 B`` over the greatest sample value.

    Args:
        rgb: shape (rows, columns, 3), whole numbers of ``bits`` bits.
        bits: BitsStored, or the bits per entry of a palette.

    Returns:
        float32 in [0, 1], shape (rows, columns).
    """
    gray = np.empty(rgb.shape[:2], np.float32)
    for start in range(0, len(gray), _ROWS):
        red, green, blue = np.moveaxis(rgb[start : start + _ROWS], -1, 0)
        weighted = _RED * red + _GREEN * green + _BLUE * blue
        gray[start : start + _ROWS] = weighted / np.float32(2**bits - 1)
    return np.clip(gray, 0.0, 1.0, out=gray)


def palette_luminance(indices: NDArray[Any], ds: Dataset) -> NDArray[np.float32]:
    """Luminance of a PALETTE COLOR image through its palette (PS3.3 C.7.9).

    Returns:
        float32 in [0, 1], shape (rows, columns).

    Raises:
        PixelError: the palette is missing or damaged.
    """
    try:
        rgb = apply_color_lut(indices, ds)
    except READ_ERRORS as error:
        raise PixelError(
            f"(0028,1101) and following palette cannot be applied ({explain(error)})"
        ) from error
    if rgb.shape != (*indices.shape, 3):
        raise PixelError("(0028,1101) and following: a palette has no entries for a colour")
    return luminance(rgb, rgb.dtype.itemsize * 8)
