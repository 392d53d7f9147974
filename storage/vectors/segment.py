"""Rows with their ids, of which some may have left; searched exactly, ties and all."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from storage.vectors.engine import NO_ROW, UNKNOWN, Engine, Rows
from storage.vectors.metric import Metric, Vectors
from storage.vectors.numpy_engine import all_distances

Ids = NDArray[np.int64]

MARGIN = 16
"""Rows that an engine is asked for beyond k: mostly that settles what rounding leaves open."""
MOST_WIDENED = 4096
"""Where so many rows leave it open, very many are as far apart, and all are looked at."""


class Neighbour(NamedTuple):
    """An answer: a vector's id, and its distance by the metric, in double precision."""

    key: int
    distance: float


@dataclass(frozen=True)
class Candidates:
    """Vectors near a query, nearest first, ties by id.

    Attributes:
        keys: their ids.
        distances: in double precision.
    """

    keys: Ids
    distances: NDArray[np.float64]

    def first(self, k: int) -> Self:
        """The k nearest of them."""
        order = np.lexsort((self.keys, self.distances))[:k]
        return type(self)(self.keys[order], self.distances[order])

    def joined(self, others: Self) -> Self:
        """Both together, in no order."""
        keys = np.concatenate([self.keys, others.keys])
        return type(self)(keys, np.concatenate([self.distances, others.distances]))

    def neighbours(self) -> list[Neighbour]:
        """As answers, in their order."""
        return list(map(Neighbour, self.keys.tolist(), self.distances.tolist()))

    def settles(self, k: int, bound: float) -> bool:
        """Whether the k nearest are certainly here, if what is not is at least so far away."""
        return len(self.distances) >= k and np.partition(self.distances, k - 1)[k - 1] < bound


@dataclass(frozen=True)
class Segment:
    """Rows with their ids.

    Attributes:
        ids: ascending.
        rows: their vectors.
        metric: of the distance.
        engine: searches the rows.
        live: False where a vector left, shape (rows,); None while none did.
        exact: searches the rows behind a filter, where ``engine`` may miss some.
    """

    ids: Ids
    rows: Vectors
    metric: Metric
    engine: Engine
    live: NDArray[np.bool_] | None = None
    exact: Engine | None = None

    @cached_property
    def count(self) -> int:
        """How many vectors it has."""
        return len(self.ids) if self.live is None else int(np.count_nonzero(self.live))

    @cached_property
    def _live_rows(self) -> Rows | None:
        return None if self.live is None else Rows.where(self.live)

    def live_ids(self) -> Ids:
        """The ids of its vectors, ascending."""
        return self.ids if self.live is None else self.ids[self.live]

    def numbers_of(self, ids: Ids) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """At which row each id stands, and whether it does, as a vector that has not left."""
        if not len(self.ids):
            return np.zeros(len(ids), np.intp), np.zeros(len(ids), np.bool_)
        numbers = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        stands = self.ids[numbers] == ids
        return numbers, stands if self.live is None else stands & self.live[numbers]

    def without(self, ids: Ids) -> Self:
        """The segment after vectors left; itself where it has none of them."""
        numbers, stands = self.numbers_of(ids)
        if not stands.any():
            return self
        live = np.ones(len(self.ids), np.bool_) if self.live is None else self.live.copy()
        live[numbers[stands]] = False
        return replace(self, live=live)

    def nearest(self, queries: Vectors, k: int, among: Ids | None) -> list[Candidates]:
        """At least the k nearest vectors to each query, or all where there are fewer.

        Args:
            queries: as ``Metric.checked`` gives them.
            k: at least 1.
            among: the ids of those that may be found; None for all.
        """
        engine = self.engine if among is None else self.exact or self.engine
        only = self._only(among)
        allowed = len(self.ids) if only is None else only.count
        if not allowed:
            return [Candidates(np.empty(0, np.int64), np.empty(0)) for _ in queries]
        found: list[Candidates | None] = [None] * len(queries)
        wanted = min(k + MARGIN, allowed)
        open_ = np.arange(len(queries))
        while len(open_):
            if wanted > MOST_WIDENED + k and wanted < allowed:
                for query in open_:
                    found[query] = self._every(queries[query], only)
                break
            short = engine.shortlist(queries[open_], wanted, only)
            left = []
            for query, rows, bound in zip(open_, short.rows, short.bounds, strict=True):
                near = self._measured(queries[query], rows[rows != NO_ROW])
                found[query] = near
                if bound != UNKNOWN and wanted < allowed and not near.settles(k, bound):
                    left.append(query)
            open_, wanted = np.array(left, np.intp), min(4 * wanted, allowed)
        return [entry for entry in found if entry is not None]

    def _measured(self, query: Vectors, numbers: NDArray[np.int64]) -> Candidates:
        return Candidates(self.ids[numbers], self.metric.distances(query, self.rows[numbers]))

    def _every(self, query: Vectors, only: Rows | None) -> Candidates:
        numbers = np.arange(len(self.ids)) if only is None else only.numbers()
        distances = all_distances(query, self.rows, self.metric, numbers)
        return Candidates(self.ids[numbers], distances)

    def _only(self, among: Ids | None) -> Rows | None:
        if among is None:
            return self._live_rows
        numbers, stands = self.numbers_of(among)
        chosen = np.zeros(len(self.ids), np.bool_)
        chosen[numbers[stands]] = True
        return Rows.where(chosen)
