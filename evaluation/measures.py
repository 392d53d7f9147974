"""Measures of retrieval, each with one definition, its id, and its expectation by chance.

The same list of hits has an "mAP@5" of .756 by one definition and .283 by another, so that no
measure here goes by such a name. In the definitions h_i is 1 where rank i is relevant and R is how
many relevant images there are. A query whose value is undefined has NaN, and is told as such.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluation import chance
from evaluation.collection import Codes, Positions
from evaluation.nearest import Run
from evaluation.relevance import Qrels, ToBeFound, Values, ideal, to_be_found, transformed


class MeasureError(ValueError):
    """There is no such measure, or it cannot be had of this run; the message says why."""


@dataclass(frozen=True)
class Answers:
    """A run beside its qrels: what measures are computed from.

    Attributes:
        run: the answers.
        qrels: the relevance.
        gains: of each neighbour, shape (queries, k).
        there: what was to be found.
        index: the images that might answer.
        apart: as in `Neighbourhood.nearest`.
        strata: as there.
    """

    run: Run
    qrels: Qrels
    gains: Values
    there: ToBeFound
    index: Positions
    apart: Codes
    strata: Codes | None = None

    def best(self, qrels: Qrels, discounts: Values) -> Values:
        """The discounted gain of the best order by some qrels, shape (queries,)."""
        return ideal(
            qrels, self.run.queries, self.index, discounts, apart=self.apart, strata=self.strata
        )

    def transformed_gain(self) -> Values:
        """The mean of 2^relevance - 1 over those that may answer, shape (queries,)."""
        qrels = transformed(self.qrels)
        there = to_be_found(
            qrels, self.run.queries, self.index, apart=self.apart, strata=self.strata
        )
        return there.mean_gain


def answers(
    run: Run, qrels: Qrels, index: Positions, *, apart: Codes, strata: Codes | None = None
) -> Answers:
    """A run judged; queries that may not ask by these qrels are left out."""
    asks = qrels.asks[run.queries]
    run = Run(run.queries[asks], run.neighbours[asks], run.similarities[asks])
    there = to_be_found(qrels, run.queries, index, apart=apart, strata=strata)
    return Answers(run, qrels, qrels.of(run), there, index, apart, strata)


@dataclass(frozen=True)
class Measure:
    """One definition.

    Attributes:
        id: such as ``ap.hits@5``.
        k: how many ranks count; 0 for the whole ranking.
        says: the definition in words.
        empty: what a query without a relevant image, or without a hit, counts as.
        of: values, shape (queries,), of the gains of k ranks, shape (queries, k), and of ``norm``.
        norm: what each query's value is measured against, shape (queries,): R, or the best order's.
        by_chance: each query's expectation of an order drawn by lot, shape (queries,).
    """

    id: str
    k: int
    says: str
    empty: str
    of: Callable[[Values, Values], Values]
    norm: Callable[[Answers], Values]
    by_chance: Callable[[Answers], Values]

    def scores(self, given: Answers) -> Values:
        """Each query's value, shape (queries,).

        Raises:
            MeasureError: the run holds too few ranks.
        """
        return self.of(self.gains(given), self.norm(given))

    def gains(self, given: Answers) -> Values:
        """Of the ranks that count, shape (queries, k).

        Raises:
            MeasureError: the run holds too few ranks.
        """
        if not self.k:
            if given.run.k < given.there.eligible.max(initial=0):
                lacking = f"this run holds {given.run.k}"
                raise MeasureError(f"{self.id} needs the whole ranking, {lacking}")
            return given.gains
        if given.run.k < self.k:
            raise MeasureError(f"the run holds {given.run.k} ranks, {self.k} are asked for")
        return given.gains[:, : self.k]


def measure(name: str) -> Measure:
    """The measure of an id.

    Raises:
        MeasureError: there is none.
    """
    found = re.fullmatch(r"([a-z.]+)(?:@([1-9]\d{0,4})(\.[a-z]+)?)?", name)
    make = _MEASURES.get(found[1] + (found[3] or "")) if found else None
    if not found or make is None or (found[2] is None) != (found[1] == "ap.trap"):
        known = ", ".join(sorted(_shown(one) for one in _MEASURES))
        raise MeasureError(f"there is no measure {name!r}; there are {known}")
    return make(name, int(found[2] or 0))


def _shown(key: str) -> str:
    if key == "ap.trap":
        return key
    stem, _, ending = key.rpartition(".")
    return f"{stem}@K.{ending}" if ending in {"skip", "cap"} else f"{key}@K"


def _hits(gains: Values) -> Values:
    return (gains > 0).astype(np.float64)


def _relevant(given: Answers) -> Values:
    return given.there.relevant


def _nothing(given: Answers) -> Values:
    return np.zeros(len(given.run.queries))


def _precisions(hits: Values) -> Values:
    """At each hit the share of hits up to it; 0 elsewhere."""
    ranks = np.arange(1, hits.shape[1] + 1)
    return np.asarray(hits * np.cumsum(hits, axis=1) / ranks)


def _over(values: Values, divisor: Values) -> Values:
    return np.where(divisor > 0, values / np.maximum(divisor, 1), 0.0)


def _undefined(values: Values, where: NDArray[np.bool_]) -> Values:
    return np.where(where, np.nan, values)


def _expected(given: Answers, k: int, of: Callable[[Values], Values]) -> Values:
    return chance.expected(of, given.there.eligible, given.there.relevant, k)


def _relevant_share(given: Answers) -> Values:
    return _over(given.there.relevant, given.there.eligible)


def _drawn(given: Answers, k: int) -> Values:
    """Of k ranks those that an index as small as this can fill."""
    return np.minimum(given.there.eligible, k)


def _ap_hits(name: str, k: int) -> Measure:
    def of(gains: Values, _: Values) -> Values:
        hits = _hits(gains)
        return _over(_precisions(hits).sum(axis=1), hits.sum(axis=1))

    return Measure(
        name,
        k,
        f"mean over the hits among the first {k} of (hits so far / rank)",
        "0 without a hit",
        of,
        _nothing,
        lambda given: _expected(given, k, chance.ap_hits),
    )


def _ap_k(name: str, k: int) -> Measure:
    return Measure(
        name,
        k,
        f"sum over the hits among the first {k} of (hits so far / rank), divided by {k}",
        "0 without a hit",
        lambda gains, _: _precisions(_hits(gains)).sum(axis=1) / k,
        _nothing,
        lambda given: _expected(given, k, chance.ap_sum) / k,
    )


def _ap_rel(name: str, k: int) -> Measure:
    return Measure(
        name,
        k,
        f"sum over the hits among the first {k} of (hits so far / rank), divided by R",
        "0 without a hit",
        lambda gains, relevant: _over(_precisions(_hits(gains)).sum(axis=1), relevant),
        _relevant,
        lambda given: _over(_expected(given, k, chance.ap_sum), given.there.relevant),
    )


def _ap_trap(name: str, _: int) -> Measure:
    def of(gains: Values, relevant: Values) -> Values:
        hits = _hits(gains)
        ranks = np.arange(1, hits.shape[1] + 1)
        so_far = np.cumsum(hits, axis=1)
        before = np.where(ranks == 1, 1.0, (so_far - hits) / np.maximum(ranks - 1, 1))
        return np.asarray((hits * (before + so_far / ranks) / 2).sum(axis=1) / (relevant + 1))

    return Measure(
        name,
        0,
        "area under precision by recall over the whole ranking, by trapezoids, divided by the size "
        "of the query's class, itself included (so that 1 is out of reach)",
        "0 without a relevant image",
        of,
        _relevant,
        lambda given: chance.ap_trapezoid(
            given.there.eligible, given.there.relevant, given.there.relevant + 1
        ),
    )


def _precision(name: str, k: int) -> Measure:
    return Measure(
        name,
        k,
        f"hits among the first {k}, divided by {k}",
        "0 without a hit",
        lambda gains, _: _hits(gains).sum(axis=1) / k,
        _nothing,
        lambda given: _relevant_share(given) * _drawn(given, k) / k,
    )


def _precision_capped(name: str, k: int) -> Measure:
    def of(gains: Values, relevant: Values) -> Values:
        most = np.minimum(relevant, k)
        counted = _hits(gains) * (np.arange(1, k + 1) <= most[:, None])
        return _undefined(_over(counted.sum(axis=1), most), most == 0)

    return Measure(
        name,
        k,
        f"hits among the first m, divided by m, the lesser of {k} and R",
        "undefined where R is 0",
        of,
        _relevant,
        lambda given: _undefined(_relevant_share(given), given.there.relevant == 0),
    )


def _reciprocal_rank(name: str, k: int) -> Measure:
    def of(gains: Values, _: Values) -> Values:
        hits = _hits(gains)
        return np.where(hits.any(axis=1), 1 / (1 + hits.argmax(axis=1)), 0.0)

    return Measure(
        name,
        k,
        f"1 / rank of the first hit among the first {k}",
        "0 without a hit",
        of,
        _nothing,
        lambda given: _expected(given, k, chance.reciprocal_rank),
    )


def _skipping(make: Callable[[str, int], Measure]) -> Callable[[str, int], Measure]:
    """A measure that leaves queries without a hit out of its mean."""

    def made(name: str, k: int) -> Measure:
        whole = make(name, k)

        def of(gains: Values, norm: Values) -> Values:
            return _undefined(whole.of(gains, norm), ~np.asarray(_hits(gains).any(axis=1)))

        def by_chance(given: Answers) -> Values:
            some = _expected(given, k, chance.any_hit)
            counted = np.where(some > 0, some, 1)
            return np.where(some > 0, whole.by_chance(given) / counted, np.nan)

        return replace(whole, empty="undefined without a hit", of=of, by_chance=by_chance)

    return made


def _recall(name: str, k: int) -> Measure:
    return Measure(
        name,
        k,
        f"hits among the first {k}, divided by R",
        "undefined where R is 0",
        lambda gains, relevant: _undefined(
            _over(_hits(gains).sum(axis=1), relevant), relevant == 0
        ),
        _relevant,
        lambda given: _undefined(
            _over(_drawn(given, k), given.there.eligible), given.there.relevant == 0
        ),
    )


def _any_hit(name: str, k: int) -> Measure:
    return Measure(
        name,
        k,
        f"1 where there is a hit among the first {k}",
        "0 without a hit",
        lambda gains, _: np.asarray(_hits(gains).any(axis=1), np.float64),
        _nothing,
        lambda given: _expected(given, k, chance.any_hit),
    )


def _cumulative_gain(name: str, k: int) -> Measure:
    return Measure(
        name,
        k,
        f"mean gain of the first {k}: the share of the query's positive labels that each has",
        "0 where nothing is shared; queries without a label do not ask",
        lambda gains, _: np.asarray(gains.sum(axis=1) / k),
        _nothing,
        lambda given: given.there.mean_gain * _drawn(given, k) / k,
    )


def _ndcg(name: str, k: int) -> Measure:
    discounts = 1 / np.log2(np.arange(1, k + 1) + 1)
    exponential = name.startswith("ndcg.exp")

    def of(gains: Values, best: Values) -> Values:
        gained = np.exp2(gains) - 1 if exponential else gains
        return np.asarray(gained @ discounts / best)

    def norm(given: Answers) -> Values:
        best = given.best(transformed(given.qrels) if exponential else given.qrels, discounts)
        return np.where(best > 0, best, np.nan)

    def by_chance(given: Answers) -> Values:
        mean = given.transformed_gain() if exponential else given.there.mean_gain
        filled = np.arange(1, k + 1) <= given.there.eligible[:, None]
        return np.asarray(mean * (discounts * filled).sum(axis=1) / norm(given))

    gain = "2^relevance - 1" if exponential else "relevance"
    return Measure(
        name,
        k,
        f"sum over the first {k} of ({gain}) / log2(rank + 1), divided by that of the best order "
        "of the whole index",
        "undefined where nothing is relevant",
        of,
        norm,
        by_chance,
    )


_MEASURES: dict[str, Callable[[str, int], Measure]] = {
    "ap.hits": _ap_hits,
    "ap.hits.skip": _skipping(_ap_hits),
    "ap.k": _ap_k,
    "ap.ath": _ap_k,  # the mean over ranks and queries is the mean over queries of that over ranks
    "ap.rel": _ap_rel,
    "ap.trap": _ap_trap,
    "p": _precision,
    "p.cap": _precision_capped,
    "rr": _reciprocal_rank,
    "rr.skip": _skipping(_reciprocal_rank),
    "recall": _recall,
    "hit": _any_hit,
    "acg": _cumulative_gain,
    "ndcg.exp": _ndcg,
    "ndcg.lin": _ndcg,
}
