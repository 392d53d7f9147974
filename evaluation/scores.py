"""Each query's value by a measure, and whose images gave it.

A patient takes part in a mean twice: his images ask, and they answer others. What he gave to the
values of others is told by leaving him out of every answer (the jackknife), so that
`evaluation.figures` can draw patients with both.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.collection import Codes, Positions
from evaluation.measures import Answers, Measure, MeasureError
from evaluation.nearest import NOBODY
from evaluation.relevance import Values

FOLLOWING = 8
"""Ranks of a run beyond those that are measured: who moves up when a patient is left out."""


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
