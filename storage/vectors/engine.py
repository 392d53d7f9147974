"""What an engine is: it finds the rows of a matrix that are nearest, and keeps nothing else."""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from storage.vectors.metric import Vectors

NO_ROW = -1
"""Stands where an engine found fewer rows than asked for."""
UNKNOWN = -np.inf


@dataclass(frozen=True)
class Rows:
    """Some rows of a matrix, as one bit each.

    Attributes:
        bits: uint8, the first row in the lowest bit of the first byte.
        count: how many are set.
        of: how many rows the matrix has.
    """

    bits: NDArray[np.uint8]
    count: int
    of: int

    @classmethod
    def where(cls, chosen: NDArray[np.bool_]) -> Self:
        """The rows at which ``chosen`` is True; shape (rows of the matrix,)."""
        bits = np.packbits(chosen, bitorder="little")
        return cls(bits, int(np.count_nonzero(chosen)), len(chosen))

    def has(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of some rows are among them; ``NO_ROW`` never is. Any shape."""
        known = np.maximum(numbers, 0)
        set_ = (self.bits[known >> 3] >> (known & 7).astype(np.uint8)) & 1
        found: NDArray[np.bool_] = (set_ == 1) & (numbers >= 0)
        return found

    def numbers(self) -> NDArray[np.intp]:
        """The rows' numbers, ascending."""
        return np.flatnonzero(np.unpackbits(self.bits, count=self.of, bitorder="little"))


@dataclass(frozen=True)
class Shortlist:
    """Rows that are probably nearest to each query, nearest first.

    Attributes:
        rows: int64, shape (queries, k); ``NO_ROW`` where there are no more.
        bounds: for each query, the least distance that a row may have that is not in the list,
            float64 of shape (queries,); ``UNKNOWN`` where nearer ones may have been missed.
    """

    rows: NDArray[np.int64]
    bounds: NDArray[np.float64]


class Engine(Protocol):
    """Searches a matrix that never changes, for any number of threads at a time."""

    def shortlist(self, queries: Vectors, k: int, only: Rows | None) -> Shortlist:
        """The ``k`` rows nearest to each query.

        Args:
            queries: as ``Metric.checked`` gives them.
            k: at least 1, at most as many as the matrix, or ``only``, has.
            only: the rows that may be found; None for all.
        """
