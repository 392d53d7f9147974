"""An image as its levels: grayscale steps are functions of the stored value alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.image import PixelError

Mapping = Callable[[NDArray[np.float64]], NDArray[np.float64]]

_TABLE_MAX = 1 << 18  # levels; an image of 16 bits always fits
_BLOCK = 1 << 15  # pixels worked at once: temporary arrays stay small and in the cache


@dataclass(frozen=True)
class Levels:
    """An image and the stored values that may occur in it.

    Modality LUT, VOI LUT and polarity are computed once per level in float64 rather than once
    per pixel: exact, and cheaper by the number of pixels per level.

    Attributes:
        stored: whole numbers, any shape, at least one.
        low: the least of them.
        values: every whole number from the least to the greatest; None where these are more
            than a table should have (32 bits), and the pixels are computed one by one.
    """

    stored: NDArray[Any]
    low: int
    values: NDArray[np.float64] | None

    def mapped(self, mapping: Mapping) -> NDArray[np.float32]:
        """The image with each stored value mapped; float32, shape of the image.

        Raises:
            PixelError: a mapped value is not finite.
        """
        if self.values is None:
            return self._blockwise(lambda block: _finite(mapping, block.astype(np.float64)))
        table = _finite(mapping, self.values)
        # no offset is out of range; "clip" only spares numpy the check, a third of the time
        return self._blockwise(lambda block: table.take(self._offsets(block), mode="clip"))

    def histogram(
        self, leave_out: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Stored values and how many pixels have each, but for those where ``leave_out`` is True.

        Values ascend; counts may be 0.
        """
        if self.values is None:
            kept = self.stored if leave_out is None else self.stored[~leave_out]
            values, counts = np.unique(kept, return_counts=True)
            return values.astype(np.float64), counts
        found = np.zeros(len(self.values), np.intp)
        for at in _blocks(self.stored.size):
            block = self.stored.reshape(-1)[at]
            kept = block if leave_out is None else block[~leave_out.reshape(-1)[at]]
            found += np.bincount(self._offsets(kept), minlength=len(found))
        return self.values, found

    def _offsets(self, block: NDArray[Any]) -> NDArray[np.intp]:
        offsets: NDArray[np.intp] = np.subtract(block, self.low, dtype=np.intp)
        return offsets

    def _blockwise(
        self, work: Callable[[NDArray[Any]], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        out = np.empty(self.stored.size, np.float32)
        for at in _blocks(self.stored.size):
            out[at] = work(self.stored.reshape(-1)[at])
        return out.reshape(self.stored.shape)


def levels_of(stored: NDArray[Any]) -> Levels:
    """Split whole-number stored values of any shape into levels."""
    low, high = int(stored.min()), int(stored.max())
    if high - low < _TABLE_MAX:
        return Levels(stored, low, np.arange(low, high + 1, dtype=np.float64))
    return Levels(stored, low, None)


def _blocks(size: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, size, _BLOCK))


def _finite(mapping: Mapping, values: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):
        found = mapping(values).astype(np.float32)
    if not np.isfinite(found).all():
        raise PixelError("rescale or window values are so large that pixels overflow")
    return found
