"""Qrels: how relevant each image is to each query, and what there was to be found.

Relevance by labels depends on nothing but the two images' labels, so images of the same labels
share a *kind*, and a table of kind by kind holds every pair: 836 kinds stand for the 112,120 images
of ChestX-ray14. What could have been found at best, and by chance, is counted from the kinds.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.collection import Codes, Positions
from evaluation.nearest import NOBODY, Run

Values = NDArray[np.float64]
LOT = 2_000_000
"""Counts that are held at once."""


@dataclass(frozen=True)
class Qrels:
    """The relevance of images to queries.

    Attributes:
        says: the rule, in words, for the report.
        kinds: each image's kind, shape (images,).
        gains: shape (kinds, kinds): how relevant an image of the second kind is to a query of the
            first; 0 is not at all, 1 is relevant where there are no grades.
        asks: which images may ask by this rule, shape (images,): a query without a label has no
            answer that is right.
    """

    says: str
    kinds: Codes
    gains: Values
    asks: NDArray[np.bool_]

    def of(self, run: Run) -> Values:
        """The gain of each neighbour, shape (queries, k); 0 for NOBODY."""
        gains = self.gains[self.kinds[run.queries][:, None], self.kinds[run.neighbours]]
        return np.where(run.neighbours == NOBODY, 0.0, gains)


@dataclass(frozen=True)
class ToBeFound:
    """What was there for each query, itself and its own patient left out.

    Attributes:
        eligible: how many images might answer.
        relevant: how many of them are relevant.
        mean_gain: of those that might answer: what a neighbour drawn by lot gains on average.
    """

    eligible: Values
    relevant: Values
    mean_gain: Values


def to_be_found(
    qrels: Qrels,
    queries: Positions,
    index: Positions,
    *,
    apart: Codes,
    strata: Codes | None = None,
) -> ToBeFound:
    """Count it, for each query, by the rules of `Neighbourhood.nearest`."""
    eligible, relevant, mean_gain = np.zeros((3, len(queries)))
    for rows, counts in _counted(qrels, queries, index, apart, strata):
        gains = qrels.gains[qrels.kinds[queries[rows]]]
        eligible[rows] = counts.sum(axis=1)
        relevant[rows] = (counts * (gains > 0)).sum(axis=1)
        mean_gain[rows] = (counts * gains).sum(axis=1) / np.maximum(eligible[rows], 1)
    return ToBeFound(eligible, relevant, mean_gain)


def ideal(
    qrels: Qrels,
    queries: Positions,
    index: Positions,
    discounts: Values,
    *,
    apart: Codes,
    strata: Codes | None = None,
) -> Values:
    """The discounted gain of the best order, shape (queries,).

    Args:
        qrels: gains as they are summed (transformed already).
        queries: the images that ask.
        index: the images that may answer.
        discounts: of the ranks 1 to k.
        apart: as in `Neighbourhood.nearest`.
        strata: as there.
    """
    summed = np.concatenate([[0.0], np.cumsum(discounts)])
    best = np.zeros(len(queries))
    for rows, counts in _counted(qrels, queries, index, apart, strata):
        gains = qrels.gains[qrels.kinds[queries[rows]]]
        order = np.argsort(-gains, axis=1, kind="stable")
        upto = np.cumsum(np.take_along_axis(counts, order, axis=1), axis=1)
        ranks = np.minimum(upto, len(discounts)).astype(np.int64)
        before = np.concatenate([np.zeros((len(rows), 1), np.int64), ranks[:, :-1]], axis=1)
        best[rows] = (
            np.take_along_axis(gains, order, axis=1) * (summed[ranks] - summed[before])
        ).sum(axis=1)
    return best


def _counted(
    qrels: Qrels, queries: Positions, index: Positions, apart: Codes, strata: Codes | None
) -> Iterator[tuple[Positions, Values]]:
    """Yield rows of queries, and how many images of each kind may answer them."""
    kinds = len(qrels.gains)
    own = np.zeros(len(queries), np.int64) if strata is None else strata[queries]
    size = max(1, LOT // kinds)
    for stratum in np.unique(own[own >= 0]):
        some = index if strata is None else index[strata[index] == stratum]
        every = np.bincount(qrels.kinds[some], minlength=kinds).astype(np.float64)
        by_group = some[np.argsort(apart[some], kind="stable")]
        groups = apart[by_group]
        asking = np.flatnonzero(own == stratum)
        for at in range(0, len(asking), size):
            rows = asking[at : at + size]
            counts = np.repeat(every[None], len(rows), axis=0)
            group = apart[queries[rows]]
            first = np.searchsorted(groups, group, "left")
            after = np.searchsorted(groups, group, "right")
            which = np.repeat(np.arange(len(rows)), after - first)
            skipped = np.repeat(np.cumsum(after - first) - (after - first), after - first)
            place = np.arange(len(which)) - skipped + np.repeat(first, after - first)
            np.subtract.at(counts, (which, qrels.kinds[by_group[place]]), 1)
            yield rows, counts


def same(codes: Codes, says: str) -> Qrels:
    """Relevant is who has the query's own code (its class, its view); -1 is nobody's."""
    kinds = codes + 1
    gains = np.eye(int(kinds.max()) + 1)
    gains[0, 0] = 0
    return Qrels(says, kinds, gains, codes >= 0)


def shared(positives: NDArray[np.bool_], says: str, *, counted: bool = False) -> Qrels:
    """Relevant is who shares a positive label; ``counted``, by how many."""
    kinds, patterns = _kinds(positives)
    common = patterns.astype(np.float64) @ patterns.T.astype(np.float64)
    gains = common if counted else (common > 0).astype(np.float64)
    return Qrels(says, kinds, gains, _any(positives))


def share_of_query(positives: NDArray[np.bool_], says: str) -> Qrels:
    """The share of the query's positive labels that an image has too (average cumulative gain)."""
    kinds, patterns = _kinds(positives)
    own = patterns.sum(axis=1)
    common = patterns.astype(np.float64) @ patterns.T.astype(np.float64)
    return Qrels(says, kinds, common / np.maximum(own, 1)[:, None], _any(positives))


def has(positive: NDArray[np.bool_], says: str) -> Qrels:
    """One label: those that have it ask, and who has it is relevant."""
    return Qrels(says, positive.astype(np.int64), np.array([[0.0, 0], [0, 1]]), positive)


def as_near(numbers: NDArray[np.float64], scale: float, says: str) -> Qrels:
    """Graded by a measured value: 1 where it is equal, 0 from ``scale`` apart, linear between."""
    known = np.isfinite(numbers)
    values, kinds = np.unique(np.where(known, numbers, np.nan), return_inverse=True)
    apart = np.abs(values[:, None] - values[None])
    gains = np.where(np.isnan(apart), 0.0, np.clip(1 - apart / scale, 0, 1))
    return Qrels(says, kinds.astype(np.int64), gains, known)


def graded(gains: Values, says: str) -> Qrels:
    """Relevance told for each pair of images, shape (images, images), such as a reader's grades."""
    return Qrels(says, np.arange(len(gains)), gains, _any(gains > 0))


def transformed(qrels: Qrels) -> Qrels:
    """With the exponential gain of nDCG, 2^relevance - 1."""
    return Qrels(qrels.says, qrels.kinds, np.exp2(qrels.gains) - 1, qrels.asks)


def _any(rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(rows.any(axis=1))


def _kinds(positives: NDArray[np.bool_]) -> tuple[Codes, NDArray[np.bool_]]:
    patterns, kinds = np.unique(positives, axis=0, return_inverse=True)
    return kinds.reshape(-1).astype(np.int64), patterns
