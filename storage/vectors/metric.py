"""How far two vectors are apart: the smaller, the more alike."""

from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[Any]
"""Float32 of shape (n, dimension); with Hamming uint8 of shape (n, dimension / 8)."""

UNIT_SLACK = 1e-3
"""By how much the length of a unit vector may differ from 1."""


class VectorError(ValueError):
    """A vector that must not enter a space, nor be asked with; the message says why."""


class Metric(StrEnum):
    """A distance.

    ``COSINE`` is 1 - cos, in [0, 2], of vectors of unit length; ``INNER_PRODUCT`` the negative
    inner product; ``L2`` the Euclidean distance; ``HAMMING`` the number of bits that differ, of
    codes that hold eight in a byte.
    """

    COSINE = "cosine"
    INNER_PRODUCT = "inner_product"
    L2 = "l2"
    HAMMING = "hamming"

    def width(self, dimension: int) -> int:
        """Numbers, or bytes, that a vector of so many dimensions has.

        Raises:
            VectorError: there is no such vector.
        """
        if dimension < 1:
            raise VectorError(f"a vector has at least one dimension, not {dimension}")
        if self is not Metric.HAMMING:
            return dimension
        if dimension % 8:
            raise VectorError(f"a code has whole bytes, so {dimension} bits are none")
        return dimension // 8

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the numbers of a vector."""
        return np.dtype(np.uint8) if self is Metric.HAMMING else np.dtype(np.float32)

    def checked(self, vectors: Vectors, dimension: int) -> Vectors:
        """The vectors, contiguous.

        Raises:
            VectorError: they have another shape or type, are not finite, or, with cosine, are not
                of unit length.
        """
        shape = (self.width(dimension),)
        if vectors.ndim != 2 or vectors.shape[1:] != shape or vectors.dtype != self.dtype:
            raise VectorError(
                f"vectors of {dimension} dimensions are {self.dtype} of shape (n, {shape[0]}), "
                f"these are {vectors.dtype} of shape {vectors.shape}"
            )
        if self is Metric.HAMMING:
            return np.ascontiguousarray(vectors)
        # squares of single precision do not overflow in double: NaN and infinity stay what they are
        lengths = np.sqrt(np.vecdot(vectors, vectors, dtype=np.float64))
        if not np.isfinite(lengths).all():
            raise VectorError("a vector holds NaN or infinity")
        if self is Metric.COSINE:
            wrong = np.abs(lengths - 1.0) > UNIT_SLACK
            if wrong.any():
                raise VectorError(
                    f"a vector of length {lengths[wrong][0]:.4f} is not of unit length"
                )
        return np.ascontiguousarray(vectors)

    def distances(self, query: Vectors, others: Vectors) -> NDArray[np.float64]:
        """From one vector to each of others, in double precision.

        The same two vectors are as far apart whatever others stand beside them.

        Args:
            query: shape (width,).
            others: shape (n, width).
        """
        found: NDArray[np.float64]
        if self is Metric.HAMMING:
            found = np.bitwise_count(others ^ query).sum(axis=1, dtype=np.float64)
            return found
        if self is Metric.L2:
            apart = others.astype(np.float64) - query.astype(np.float64)
            found = np.sqrt(np.vecdot(apart, apart))
            return found
        # row by row: a matrix's product would sum as its blocks fall
        found = np.negative(np.vecdot(others, query, dtype=np.float64))
        return 1.0 + found if self is Metric.COSINE else found
