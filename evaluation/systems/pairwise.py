"""Rankings of candidates that are told for each query, by whatever compares two images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from evaluation.collection import Codes, Positions
from evaluation.evaluating import System
from evaluation.lots import lots
from evaluation.nearest import NOBODY, Run, Vectors, checked
from evaluation.relevance import Values
from evaluation.systems.embedding import Progress, quiet
from storage.vectors.metric import Metric


class Scorer(Protocol):
    """Compares an image with others."""

    @property
    def name(self) -> str:
        """For the tables."""

    def scores(self, query: int, others: Positions) -> Values:
        """How alike each of the others is to the query; the greater, the more."""


@dataclass(frozen=True)
class ByVector:
    """Compares vectors, as an index would.

    Attributes:
        name: of the system.
        vectors: as they are compared.
        metric: by which.
    """

    name: str
    vectors: Vectors
    metric: Metric

    @classmethod
    def of(cls, system: System) -> "ByVector":
        """A system's.

        Raises:
            CollectionError: images ask by other vectors than they answer by.
            VectorsError: a vector is not finite or has no direction.
        """
        system.must_have_one_vector("a comparison of pairs")
        return cls(system.name, checked(system.vectors, system.metric), system.metric)

    def scores(self, query: int, others: Positions) -> Values:
        """The distances with their signs turned."""
        return -self.metric.distances(self.vectors[query], self.vectors[others])


def ranked(
    scorer: Scorer,
    queries: Positions,
    candidates: Sequence[Positions],
    k: int,
    *,
    apart: Codes,
    progress: Progress = quiet,
    seed: int = 0,
) -> Run:
    """Each query's candidates, the most alike first; those equally alike in an order by lot.

    Args:
        scorer: compares.
        queries: the images that ask.
        candidates: of each query; for a search of everything, the index again and again.
        k: how many are told, at least 1.
        apart: an image with the query's own number never answers it, nor the query itself.
        progress: is told how many queries are done.
        seed: of the lots.

    Raises:
        ValueError: k is below 1, or there is not one list of candidates for each query.
    """
    if k < 1 or len(queries) != len(candidates):
        raise ValueError(f"k is {k}; {len(candidates)} lists for {len(queries)} queries")
    found = np.full((len(queries), k), NOBODY, np.int64)
    scores = np.full((len(queries), k), -np.inf)
    for row, (query, listed) in enumerate(zip(queries.tolist(), candidates, strict=True)):
        may = listed[(apart[listed] != apart[query]) & (listed != query)]
        alike = scorer.scores(query, may)
        best = np.lexsort((lots(seed, queries[row : row + 1], may)[0], -alike))[:k]
        found[row, : len(best)], scores[row, : len(best)] = may[best], alike[best]
        progress(row + 1, len(queries))
    return Run(queries, found, scores)
