"""Figures from scores: a mean, its chance, and its interval over patients.

A patient takes part twice: his images ask, and they answer others. An interval that draws only
those who ask, as is usual, holds the archive for given although it is the same patients: of 95 %
intervals of made archives whose truth is known, it held 69 to 91 %. So each patient's part in the
mean is measured as askers' *and* as answerers' (by leaving him out of every answer: the jackknife),
and patients are drawn with that. Such intervals held 96 to 100 % (docs/evaluation.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from evaluation.collection import Codes, Positions, codes_of
from evaluation.measures import Answers, Measure, MeasureError
from evaluation.nearest import NOBODY
from evaluation.relevance import Values

Mean = Literal["micro", "class_mean", "class_inverse"]
"""Over queries; over the classes' means; over these weighted by 1 / the class's queries.

The class means weighted by the classes' queries are the mean over queries.
"""
FOLLOWING = 8
"""Ranks of a run beyond those that are measured: who moves up when a patient is left out."""
DRAWS = 1000
LOT = 100
"""Draws at once."""
INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class Lent:
    """What answering patients gave to queries: by how much a value falls without the patient.

    Attributes:
        rows: of the queries' scores.
        patients: the answering patient's number.
        amounts: the value less what it would be.
    """

    rows: Positions
    patients: Codes
    amounts: Values

    def where(self, some: NDArray[np.bool_]) -> "Lent":
        """What was given to some of the queries, by their rows among these."""
        kept = some[self.rows]
        place = np.cumsum(some) - 1
        return Lent(place[self.rows[kept]], self.patients[kept], self.amounts[kept])


NOTHING = Lent(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


@dataclass(frozen=True)
class Scores:
    """Each query's value by one measure; a query of several classes stands once for each.

    Attributes:
        measure: by which.
        queries: the images that asked, shape (queries,).
        values: NaN where undefined.
        by_chance: what an order drawn by lot is expected to have.
        patients: the patient's number.
        classes: the class's number, the place of its name in ``class_names``.
        class_names: empty where there are no classes.
        lent: the answering patients' part in the values.
        everybody: how many patients the collection has: patients' numbers are below it. Where it is
            0, the greatest number that is seen here counts.
    """

    measure: Measure
    queries: Positions
    values: Values
    by_chance: Values
    patients: Codes
    classes: Codes
    class_names: tuple[str, ...] = ()
    lent: Lent = NOTHING
    everybody: int = 0

    @property
    def population(self) -> int:
        """How many patients are drawn from."""
        seen = np.concatenate([self.patients, self.lent.patients])
        return self.everybody or int(seen.max(initial=-1)) + 1

    @property
    def defined(self) -> NDArray[np.bool_]:
        """Which queries have a value."""
        return ~np.isnan(self.values)

    def of_class(self, number: int) -> "Scores":
        """One class's queries."""
        return self.where(self.classes == number)

    def where(self, some: NDArray[np.bool_]) -> "Scores":
        """Some of the queries."""
        return Scores(
            self.measure,
            self.queries[some],
            self.values[some],
            self.by_chance[some],
            self.patients[some],
            self.classes[some],
            self.class_names,
            self.lent.where(some),
            self.everybody,
        )


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


def scored(
    measure: Measure,
    given: Answers,
    patients: Codes,
    classes: Codes | None = None,
    class_names: Sequence[str] = (),
) -> Scores:
    """The queries' values; ``patients`` and ``classes`` have one entry for each image.

    Raises:
        MeasureError: the run holds less than FOLLOWING ranks more than are measured.
    """
    asked = given.run.queries
    values = measure.scores(given)
    return Scores(
        measure,
        asked,
        values,
        measure.by_chance(given),
        patients[asked],
        np.zeros(len(asked), np.int64) if classes is None else classes[asked],
        tuple(class_names),
        lent(measure, given, values, patients),
        int(patients.max()) + 1,
    )


def lent(measure: Measure, given: Answers, values: Values, patients: Codes) -> Lent:
    """The answering patients' part: each is left out of each answer, and who follows moves up.

    What was to be found (R, the best order) is held for given. Of a measure of the whole ranking
    the part of single patients is not told.

    Raises:
        MeasureError: the run holds less than FOLLOWING ranks more than are measured.
    """
    if not measure.k:
        return NOTHING
    if given.run.k < measure.k + FOLLOWING:
        wanted = f"{measure.id} and its interval need {measure.k + FOLLOWING}"
        raise MeasureError(f"the run holds {given.run.k} ranks, {wanted}")
    norm = measure.norm(given)
    who = np.where(given.run.neighbours == NOBODY, -1, patients[given.run.neighbours])
    parts = []
    for rank in range(measure.k):
        one = who[:, rank]
        first = (one >= 0) & ~(who[:, :rank] == one[:, None]).any(axis=1)
        rows = np.flatnonzero(first)
        left = _left(given.gains[rows], who[rows] == one[rows, None], measure.k)
        without = measure.of(left, norm[rows])
        amounts = values[rows] - np.where(np.isnan(without), values[rows], without)
        parts.append(Lent(rows, one[rows], amounts))
    some = Lent(*(np.concatenate(column) for column in zip(*map(_columns, parts), strict=True)))
    kept = some.amounts != 0
    return Lent(some.rows[kept], some.patients[kept], some.amounts[kept])


def _left(gains: Values, gone: NDArray[np.bool_], k: int) -> Values:
    """The gains of the k first ranks once some are gone, 0 where nobody follows.

    Few lists are filled so much by one patient that more than FOLLOWING ranks are looked at.
    """
    found = np.empty((len(gains), k))
    filled = gone[:, : k + FOLLOWING].sum(axis=1) > FOLLOWING
    for some, width in ((~filled, k + FOLLOWING), (filled, gains.shape[1])):
        out = gone[some, :width]
        order = np.argsort(out, axis=1, kind="stable")[:, :k]
        found[some] = np.take_along_axis(np.where(out, 0.0, gains[some, :width]), order, axis=1)
    return found


def _columns(part: Lent) -> tuple[Positions, Codes, Values]:
    return part.rows, part.patients, part.amounts


def together(parts: Sequence[Scores], names: Sequence[str]) -> Scores:
    """Scores of several classes as one; each part is a class."""
    starts = np.cumsum([0, *(len(part.queries) for part in parts)])
    return Scores(
        parts[0].measure,
        np.concatenate([part.queries for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.by_chance for part in parts]),
        np.concatenate([part.patients for part in parts]),
        np.concatenate([np.full(len(part.queries), at) for at, part in enumerate(parts)]),
        tuple(names),
        Lent(
            np.concatenate([part.lent.rows + at for part, at in zip(parts, starts, strict=False)]),
            np.concatenate([part.lent.patients for part in parts]),
            np.concatenate([part.lent.amounts for part in parts]),
        ),
        max(part.everybody for part in parts),
    )


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
