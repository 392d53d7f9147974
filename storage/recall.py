"""How many of the nearest vectors an index finds: recall@10 against a search through all of them.

It is asked with vectors that it holds, chosen at random, one at a time as people ask; each of them
finds itself, which does not count.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from storage.searchable import Searchable
from storage.vectors.choice import EXACT, Choice
from storage.vectors.segment import Neighbour

QUERIES = 200
"""Vectors that an index is asked with."""
NEIGHBOURS = 10
SEED = 0


class Measurable(Searchable, Protocol):
    """An index whose recall can be measured."""

    @property
    def choice(self) -> Choice:
        """How it searches."""

    def exactly(self) -> Searchable:
        """The same vectors, all of which are looked at."""


class Questions:
    """Vectors of an index, and how far their ten nearest are by definition.

    To find that out takes as long as to read all vectors once, so they can be asked many times.
    """

    def __init__(self, index: Measurable) -> None:
        ids = index.ids()
        random = np.random.default_rng(SEED)
        chosen = random.choice(ids, min(QUERIES, len(ids)), replace=False)
        self._asked = index.held(chosen)[1]
        self._k = min(NEIGHBOURS + 1, len(ids))
        self._farthest: list[float] = []
        if len(self._asked):
            nearest = index.exactly().search_each(self._asked, self._k)
            self._farthest = [found[-1].distance for found in nearest]

    def found_by(self, index: Searchable) -> float:
        """The share of those ten that an index finds; one that is as near as the last counts."""
        wanted = len(self._asked) * (self._k - 1)
        if wanted <= 0:
            return 1.0
        hits = sum(map(_as_near, self._answers(index), self._farthest))
        return (hits - len(self._asked)) / wanted

    def _answers(self, index: Searchable) -> Sequence[list[Neighbour]]:
        return [index.search_each(query[np.newaxis], self._k)[0] for query in self._asked]


def recall(index: Measurable) -> float | None:
    """Recall@10; None of an index that looks at all vectors, or holds none."""
    if index.choice == EXACT or not index.count:
        return None
    return Questions(index).found_by(index)


def _as_near(found: list[Neighbour], farthest: float) -> int:
    distances: NDArray[np.float64] = np.array([entry.distance for entry in found])
    return int((distances <= farthest).sum())
