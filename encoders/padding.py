"""Pixel padding: stored values that stand for no image at all (PS3.3 C.7.5.1.1.2)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from encoders.elements import integer


@dataclass(frozen=True)
class Padding:
    """Stored values from ``low`` to ``high``, both included, are padding."""

    low: int
    high: int

    def mask(self, stored: NDArray[Any]) -> NDArray[np.bool_]:
        """True where a stored value is padding; same shape."""
        mask: NDArray[np.bool_] = (stored >= self.low) & (stored <= self.high)
        return mask


def read_padding(ds: Dataset) -> Padding | None:
    """Padding of a grayscale object, or None.

    PixelPaddingRangeLimit may lie on either side of PixelPaddingValue. Both are read as signed
    where the pixels are (PixelRepresentation 1), whatever VR the sender gave them.

    Raises:
        PixelError: a value is no whole number.
    """
    value, limit = integer(ds, "PixelPaddingValue"), integer(ds, "PixelPaddingRangeLimit")
    if value is None:
        return None
    signed = ds.get("PixelRepresentation") == 1
    first = _as_stored(value, signed=signed)
    last = first if limit is None else _as_stored(limit, signed=signed)
    return Padding(min(first, last), max(first, last))


def _as_stored(value: int, *, signed: bool) -> int:
    if signed and value > 32767:
        return value - 65536
    return value + 65536 if not signed and value < 0 else value
