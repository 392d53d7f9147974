"""Exact search without an index: for rows that change often, and for a number of them only."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.vectors.engine import NO_ROW, Rows, Shortlist
from storage.vectors.flat import least_left_out, longest
from storage.vectors.metric import Metric, Vectors

BLOCK = 8192
"""Rows that are turned into double precision at one time."""


class NumpyEngine:
    """Looks at every row with one matrix product."""

    def __init__(self, rows: Vectors, metric: Metric) -> None:
        self._rows = rows
        self._metric = metric

    def shortlist(self, queries: Vectors, k: int, only: Rows | None) -> Shortlist:
        """See ``Engine``."""
        numbers = None if only is None else only.numbers()
        rows = self._rows if numbers is None else self._rows[numbers]
        scores = self._scores(queries, rows)
        most = min(k, len(rows))
        found = np.full((len(queries), k), NO_ROW, np.int64)
        nearest = np.argpartition(scores, most - 1, axis=1)[:, :most]
        found[:, :most] = nearest if numbers is None else numbers[nearest]
        last = np.take_along_axis(scores, nearest, axis=1).max(axis=1).astype(np.float64)
        farthest = longest(rows, self._metric)
        return Shortlist(found, least_left_out(self._metric, queries, farthest, last))

    def _scores(self, queries: Vectors, rows: Vectors) -> NDArray[Any]:
        """The smaller, the nearer: what FAISS computes, with the inner product's sign turned."""
        if self._metric is Metric.HAMMING:
            return np.stack(
                [np.bitwise_count(rows ^ query).sum(axis=1, dtype=np.int64) for query in queries]
            )
        products: NDArray[np.float32] = queries @ rows.T
        if self._metric is not Metric.L2:
            return np.negative(products)
        squares = np.square(queries).sum(axis=1)[:, None] + np.square(rows).sum(axis=1)
        return np.asarray(squares - 2 * products)


def all_distances(
    query: Vectors, rows: Vectors, metric: Metric, numbers: NDArray[np.intp]
) -> NDArray[np.float64]:
    """By definition: from a query to the rows of these numbers, in their order."""
    parts = [
        metric.distances(query, rows[numbers[at : at + BLOCK]])
        for at in range(0, len(numbers), BLOCK)
    ]
    return np.concatenate(parts) if parts else np.empty(0)
