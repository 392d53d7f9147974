"""Resizing for the weight-free descriptor: area averaging down, linear interpolation up."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Image = NDArray[np.float32]


def resize(image: Image, size: int) -> Image:
    """Return the image as ``size`` x ``size`` pixels; the aspect ratio is not kept.

    Each axis is handled alone: an axis at least ``size`` long is averaged over the area that each
    new pixel covers, a shorter one is interpolated linearly between pixel centres.

    Args:
        image: float32, shape (rows, columns), at least 1 x 1.
        size: rows and columns of the answer.
    """
    rows, columns = image.shape
    narrow = resampling_matrix(rows, size) @ image
    both = resampling_matrix(columns, size) @ np.ascontiguousarray(narrow.T)
    return np.ascontiguousarray(both.T, dtype=np.float32)


def halve(image: Image) -> Image:
    """Return the mean of each 2 x 2 block of an image whose sides are even."""
    rows, columns = image.shape
    blocks = image.reshape(rows // 2, 2, columns // 2, 2)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)


@lru_cache(maxsize=64)
def resampling_matrix(length: int, size: int) -> sparse.csr_matrix:
    """Return the (size, length) float32 matrix that resamples a line; its rows sum to one.

    It is sparse because an image of 2048 x 2048 is then read once and multiplied once.
    """
    first, weights = _area(length, size) if length >= size else _linear(length, size)
    columns = np.clip(first[:, None] + np.arange(weights.shape[1]), 0, length - 1)
    rows = np.repeat(np.arange(size), weights.shape[1])
    entries = (weights.ravel().astype(np.float32), (rows, columns.ravel()))
    return sparse.csr_matrix(entries, shape=(size, length))


def _area(length: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return for each new pixel the first old pixel under it and the shares of those covered."""
    low = np.arange(size) * length / size
    high = np.arange(1, size + 1) * length / size
    first = np.floor(low).astype(np.int64)
    old = first[:, None] + np.arange(-(-length // size) + 1)
    shares = np.minimum(high[:, None], old + 1) - np.maximum(low[:, None], old)
    # past the last pixel nothing is covered, apart from the rounding of the edges
    shares = np.where(old < length, np.maximum(shares, 0), 0)
    return first, shares / shares.sum(axis=1, keepdims=True)


def _linear(length: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return for each new pixel the old one before its centre and the shares of that and the next.

    Indices beyond the ends are clipped by the caller, which repeats the border pixel.
    """
    centre = (np.arange(size) + 0.5) * length / size - 0.5
    first = np.floor(centre).astype(np.int64)
    share = centre - first
    return first, np.stack([1 - share, share], axis=1)
