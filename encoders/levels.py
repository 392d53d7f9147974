"""An image as its levels: grayscale steps are functions of the stored value alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.image import PixelError

Mapping = Callable[[NDArray[np.float64]], NDArray[np.float64]]

_TABLE_MAX = 1 << 18  # a 16-bit image always fits; wider ranges are sorted instead


@dataclass(frozen=True)
class Levels:
    """Stored values that may occur, ascending, and which of them each pixel has.

    Modality LUT, VOI LUT and polarity are computed once per level in float64 rather than once
    per pixel: exact, and cheaper by the number of pixels per level.
    """

    values: NDArray[np.float64]
    index: NDArray[np.intp]

    def mapped(self, mapping: Mapping) -> NDArray[np.float32]:
        """The image with each level mapped; float32, shape of the image.

        Raises:
            PixelError: a mapped value is not finite.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            table = mapping(self.values).astype(np.float32)
        if not np.isfinite(table).all():
            raise PixelError("rescale or window values are so large that pixels overflow")
        mapped: NDArray[np.float32] = table[self.index]
        return mapped

    def counts(self, leave_out: NDArray[np.bool_] | None) -> NDArray[np.intp]:
        """How many pixels have each level, but for those where ``leave_out`` is True."""
        index = self.index.ravel() if leave_out is None else self.index[~leave_out]
        return np.bincount(index, minlength=len(self.values))


def levels_of(stored: NDArray[Any]) -> Levels:
    """Split whole-number stored values of any shape into levels."""
    low, high = int(stored.min()), int(stored.max())
    if high - low < _TABLE_MAX:
        values = np.arange(low, high + 1, dtype=np.float64)
        return Levels(values, np.subtract(stored, low, dtype=np.intp))
    found, index = np.unique(stored, return_inverse=True)
    return Levels(found.astype(np.float64), index.reshape(stored.shape))
