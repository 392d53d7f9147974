"""Exact search: every row is looked at, by FAISS's flat indexes over memory that is not theirs."""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.vectors.engine import Rows, Shortlist
from storage.vectors.metric import Metric, Vectors
from storage.vectors.untyped import faiss

RELATIVE_ERROR = 1e-5
"""FAISS sums in single precision: how wrong an inner product may be, by the lengths' product."""
_BLOCK = 65536


def flat_head(metric: Metric, width: int, count: int) -> bytes:
    """What stands before the rows in FAISS's file of a flat index of so many rows, at least 1."""
    one = _empty(metric, width)
    one.add(np.zeros((1, width), metric.dtype))
    serialize = faiss.serialize_index_binary if metric is Metric.HAMMING else faiss.serialize_index
    head = bytearray(serialize(one)[: -width * metric.dtype.itemsize])
    after = 12 if metric is Metric.HAMMING else 8  # its mark, dimension and, of a code, bytes
    struct.pack_into("<q", head, after, count)
    (size,) = struct.unpack_from("<Q", head, len(head) - 8)
    struct.pack_into("<Q", head, len(head) - 8, size * count)
    return bytes(head)


def _empty(metric: Metric, width: int) -> Any:
    if metric is Metric.HAMMING:
        return faiss.IndexBinaryFlat(8 * width)
    return faiss.IndexFlat(width, faiss_metric(metric))


def faiss_metric(metric: Metric) -> int:
    """FAISS's number of a metric; its L2 is the square of ours, its inner product a likeness."""
    return int(faiss.METRIC_L2 if metric is Metric.L2 else faiss.METRIC_INNER_PRODUCT)


def flat_view(file: NDArray[np.uint8], metric: Metric) -> Any:
    """FAISS's flat index over the bytes of its file, which must outlive it; nothing is copied."""
    if metric is Metric.HAMMING:
        return faiss.read_index_binary(reader_of(file))
    return faiss.read_index(reader_of(file))


def reader_of(file: NDArray[np.uint8]) -> Any:
    """What FAISS reads bytes by that it does not copy; they must outlive what is read."""
    return faiss.ZeroCopyIOReader(faiss.swig_ptr(file), file.nbytes)


def selector(only: Rows) -> Any:
    """FAISS's form of a choice of rows; it looks into ``only``."""
    return faiss.IDSelectorBitmap(only.bits)


def searching(only: Rows | None) -> Any:
    """FAISS's search parameters of a flat index."""
    return None if only is None else faiss.SearchParameters(sel=selector(only))


class FlatEngine:
    """Looks at every row.

    Args:
        file: the bytes of FAISS's file of a flat index: ``flat_head`` and the rows.
        rows: the rows in it.
        metric: of the distance.
    """

    def __init__(self, file: NDArray[np.uint8], rows: Vectors, metric: Metric) -> None:
        self._file = file  # FAISS looks into it
        self._metric = metric
        self.faiss = flat_view(file, metric)
        self._longest = longest(rows, metric)

    def shortlist(self, queries: Vectors, k: int, only: Rows | None) -> Shortlist:
        """See ``Engine``."""
        values, rows = self.faiss.search(queries, k, params=searching(only))
        last = values[:, -1].astype(np.float64)
        likeness = self._metric in (Metric.COSINE, Metric.INNER_PRODUCT)
        scores = -last if likeness else last
        return Shortlist(rows, least_left_out(self._metric, queries, self._longest, scores))


def least_left_out(
    metric: Metric, queries: Vectors, longest_row: float, scores: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The least distance that a row can have whose score in single precision is no less.

    Args:
        metric: of the distance; Hamming's has no rounding.
        queries: shape (n, width).
        longest_row: as ``longest`` says.
        scores: negative inner products, squares of L2, or bits that differ; shape (n,).
    """
    if metric is Metric.HAMMING:
        return scores
    lengths = np.linalg.norm(queries.astype(np.float64), axis=1)
    if metric is Metric.L2:
        error = RELATIVE_ERROR * np.square(lengths + longest_row)
        least: NDArray[np.float64] = np.sqrt(np.maximum(scores - error, 0.0))
    else:
        error = RELATIVE_ERROR * lengths * longest_row
        least = scores - error + (1.0 if metric is Metric.COSINE else 0.0)
    return least


def longest(rows: Vectors, metric: Metric) -> float:
    """The length of the longest row, 0 where there is none; 1 where none can be another."""
    if metric not in (Metric.L2, Metric.INNER_PRODUCT):
        return 1.0
    return max(
        (
            float(np.linalg.norm(rows[at : at + _BLOCK], axis=1).max())
            for at in range(0, len(rows), _BLOCK)
        ),
        default=0.0,
    )
