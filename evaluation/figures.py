"""Figures from scores: a mean, its chance, and its interval over patients.

A patient takes part twice: his images ask, and they answer others. An interval that draws only
those who ask, as is usual, holds the archive for given although it is the same patients: of 95 %
intervals of made archives whose truth is known, they held 70 to 88 %. So each patient's part in the
mean is measured as askers' *and* as answerers' (by leaving him out of every answer: the jackknife),
and patients are drawn with that. Such intervals held 97 to 100 % (docs/benchmarks.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from evaluation.collection import codes_of
from evaluation.relevance import Values
from evaluation.scores import Scores

Mean = Literal["micro", "class_mean", "class_inverse"]
"""Over queries; over the classes' means; over these weighted by 1 / the class's queries.

The class means weighted by the classes' queries are the mean over queries.
"""
DRAWS = 1000
LOT = 100
"""Draws at once."""
INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class Figure:
    """One number of a table and what it must be read with; NaN where no query has a value.

    Attributes:
        measure: its id.
        mean: over what it is the mean.
        value: the mean.
        low: of the interval of 95 % over patients.
        high: of it.
        chance: the mean that an order drawn by lot is expected to have.
        lift_low: of the interval of value - chance; above 0 it is better than chance.
        lift_high: of it.
        queries: how many count.
        undefined: how many do not, because they have no value by this definition.
        patients: of the queries that count.
    """

    measure: str
    mean: str
    value: float
    low: float
    high: float
    chance: float
    lift_low: float
    lift_high: float
    queries: int
    undefined: int
    patients: int


def figure(scores: Scores, mean: Mean = "micro", *, seed: int = 0, draws: int = DRAWS) -> Figure:
    """A mean with its interval; classes in which no query has a value do not enter it."""
    counted = scores.where(scores.defined)
    undefined = len(scores.queries) - len(counted.queries)
    if not len(counted.queries):
        nothing = float("nan")
        empty = (nothing,) * 6
        return Figure(scores.measure.id, mean, *empty, 0, undefined, 0)
    parts = _parts(counted)
    drawn = _drawn(parts, counted.population, mean, seed, draws)
    low, high = np.nanpercentile(drawn[0], INTERVAL)
    lift_low, lift_high = np.nanpercentile(drawn[0] - drawn[1], INTERVAL)
    value, by_chance = _means(parts, np.ones((counted.population, 1)), mean)[:, 0]
    return Figure(
        scores.measure.id,
        mean,
        float(value),
        float(low),
        float(high),
        float(by_chance),
        float(lift_low),
        float(lift_high),
        len(counted.queries),
        undefined,
        len(np.unique(counted.patients)),
    )


def resampled(
    runs: Sequence[Scores], mean: Mean = "micro", *, seed: int = 0, draws: int = DRAWS
) -> list[Values]:
    """The mean and its chance in draws of patients, shape (2, draws), of each run.

    All runs see the same draws; every value is defined. A draw without a query of a class leaves
    that class out; one without any query is NaN.
    """
    everybody = max(scores.population for scores in runs)
    return [
        _drawn(_parts(replace(scores, everybody=everybody)), everybody, mean, seed, draws)
        for scores in runs
    ]


@dataclass(frozen=True)
class _Parts:
    """Every patient's part, shape (classes, patients) each.

    Attributes:
        asked: the sum of the patient's queries' values.
        by_chance: of their chances.
        queries: how many they are.
        lent: what the patient gave to others' values.
    """

    asked: csr_array
    by_chance: csr_array
    queries: csr_array
    lent: csr_array


def _parts(scores: Scores) -> _Parts:
    classes = codes_of(scores.classes)
    shape = (int(classes.max()) + 1, scores.population)

    def summed(values: Values) -> csr_array:
        return csr_array((values, (classes, scores.patients)), shape=shape)

    given = (classes[scores.lent.rows], scores.lent.patients)
    return _Parts(
        summed(scores.values),
        summed(scores.by_chance),
        summed(np.ones(len(classes))),
        csr_array((scores.lent.amounts, given), shape=shape),
    )


def _drawn(parts: _Parts, everybody: int, mean: Mean, seed: int, draws: int) -> Values:
    weights = _weights(everybody, seed, draws)
    lots = [
        _means(parts, weights[:, at : at + LOT].astype(np.float64), mean)
        for at in range(0, draws, LOT)
    ]
    # every measure lies in there; what answerers gave, many times over, may lead out of it
    return np.clip(np.concatenate(lots, axis=1), 0, 1)


@lru_cache(maxsize=2)
def _weights(everybody: int, seed: int, draws: int) -> NDArray[np.uint8]:
    """How often each patient is drawn, shape (patients, draws): all figures see the same draws."""
    random = np.random.default_rng(seed)
    found = np.empty((everybody, draws), np.uint8)
    for draw in range(draws):
        counts = np.bincount(random.integers(0, everybody, everybody), minlength=everybody)
        found[:, draw] = np.minimum(counts, 255)
    found.flags.writeable = False
    return found


def _means(parts: _Parts, weights: Values, mean: Mean) -> Values:
    """Both means by draws that have weights of shape (patients, draws): shape (2, draws)."""
    counts = (parts.queries @ weights).T
    values = (parts.asked @ weights + parts.lent @ (weights - 1)).T
    sums = np.stack([values, (parts.by_chance @ weights).T])
    if mean == "micro":
        asked = counts.sum(axis=1)
        return np.where(asked > 0, sums.sum(axis=2) / np.where(asked > 0, asked, 1), np.nan)
    here = counts > 0
    # as for the whole (see _drawn): else one small class drags down the mean over classes
    of_classes = np.clip(np.where(here, sums / np.where(here, counts, 1), 0), 0, 1)
    importance = here * 1.0 if mean == "class_mean" else here / np.where(here, counts, 1)
    total = importance.sum(axis=1)
    means = (of_classes * importance).sum(axis=2) / np.where(total > 0, total, 1)
    return np.where(total > 0, means, np.nan)
