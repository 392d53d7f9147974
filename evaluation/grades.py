"""Graded relevance told by readers: how alike each catalogue image is to a query (paper 3).

A file is CSV with ``query``, ``image`` and ``grade`` (the greater, the more alike; 0 is not at
all), or ``rank`` in its place (1 is the most alike), from which grades are made as in paper 3:
steps of one half, so that the first of ten has 5.5 and the last 1.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.collection import Codes, Collection, Positions
from evaluation.measures import answers, measure
from evaluation.nearest import Run
from evaluation.readers.fault import ReaderError
from evaluation.readers.table import Table, read_table
from evaluation.relevance import Qrels, Values
from evaluation.scores import Scores


@dataclass(frozen=True)
class Grades:
    """What one reader told.

    Attributes:
        name: the reader's; that of the file.
        grades: by query, the grade of each image of its catalogue; places in the collection.
    """

    name: str
    grades: Mapping[int, Mapping[int, float]]

    @property
    def queries(self) -> Positions:
        """In ascending order."""
        return np.array(sorted(self.grades), np.int64)

    def catalogue(self, query: int) -> Positions:
        """The images that were graded for a query, in ascending order."""
        return np.array(sorted(self.grades[query]), np.int64)

    def scores(self, query: int, others: Positions) -> Values:
        """The grades, so that a reader can be ranked as a system is; a `pairwise.Scorer`.

        Images that this reader did not grade are the least alike.
        """
        told = self.grades.get(query, {})
        return np.array([told.get(int(one), -math.inf) for one in others])


def grade_of(rank: int, ranked: int) -> float:
    """Paper 3's relevance of a rank, from 1: (n + 1 - rank) / 2 + 1 / 2."""
    return (ranked + 1 - rank) / 2 + 0.5


def read_grades(path: Path, collection: Collection) -> Grades:
    """One reader's file.

    Raises:
        ReaderError: a column is missing, an image is not in the collection, a pair stands twice or
            is of an image with itself, a grade is no number from 0, or ranks are not 1, 2, 3 ...
    """
    table = read_table(path, "query", "image")
    column = table.either("grade", "rank")
    place = {name: at for at, name in enumerate(collection.ids)}
    queries, images = (_places(table, name, place) for name in ("query", "image"))
    values = table.parsed(column, _grade if column == "grade" else _rank)
    found: dict[int, dict[int, float]] = {}
    for row, (query, image, value) in enumerate(zip(queries, images, values, strict=True)):
        if query == image:
            raise table.fault(row, "image", "an image is not graded against itself; remove the row")
        if image in found.setdefault(query, {}):
            raise table.fault(row, "image", "this pair stands above already; remove one row")
        found[query][image] = value
    if column == "rank":
        found = {query: _graded(table, query, told, collection) for query, told in found.items()}
    return Grades(path.name.removesuffix(path.suffix), found)


def judged(run: Run, truth: Grades, name: str, apart: Codes, patients: Codes) -> Scores:
    """A run's scores by one measure, each query judged within its own catalogue.

    Their intervals are over those who ask: catalogues are as the reader was given them.

    Args:
        run: each query's catalogue, ranked.
        truth: the grades.
        name: the measure's id.
        apart: as the run was made with.
        patients: one number for each image.
    """
    one = measure(name)
    values, by_chance = [], []
    for row, query in enumerate(run.queries.tolist()):
        alone = Run(run.queries[row : row + 1], run.neighbours[row : row + 1],
                    run.similarities[row : row + 1])  # fmt: skip
        catalogue = truth.catalogue(query)
        qrels = _qrels(truth, query, catalogue, len(apart))
        given = answers(alone, qrels, catalogue, apart=apart)
        values += one.scores(given).tolist()
        by_chance += one.by_chance(given).tolist()
    nobody = np.zeros(len(run.queries), np.int64)
    return Scores(
        one, run.queries, np.array(values), np.array(by_chance), patients[run.queries], nobody
    )


def _qrels(truth: Grades, query: int, catalogue: Positions, images: int) -> Qrels:
    """The grades of one query; images beside its catalogue are not relevant."""
    gains = np.zeros((len(catalogue) + 2, len(catalogue) + 2))
    gains[1, 2:] = [truth.grades[query][int(one)] for one in catalogue]
    kinds = np.zeros(images, np.int64)
    kinds[query] = 1
    kinds[catalogue] = np.arange(2, len(catalogue) + 2)
    asks = np.zeros(images, bool)
    asks[query] = True
    return Qrels("graded by a reader", kinds, gains, asks)


def _places(table: Table, name: str, place: Mapping[str, int]) -> list[int]:
    def found(cell: str) -> int:
        if cell not in place:
            raise ValueError(
                f"{cell!r} is no image of the collection; correct it or remove the row"
            )
        return place[cell]

    return table.parsed(name, found)


def _grade(cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError(f"{cell!r} is no grade; write a number from 0, the greater the more alike")
    return value


def _rank(cell: str) -> float:
    if not cell.isdecimal() or int(cell) < 1:
        raise ValueError(f"{cell!r} is no rank; write 1 for the most alike, then 2, 3 ...")
    return float(cell)


def _graded(
    table: Table, query: int, ranks: Mapping[int, float], collection: Collection
) -> dict[int, float]:
    if sorted(ranks.values()) != list(range(1, len(ranks) + 1)):
        told = ", ".join(f"{rank:g}" for rank in sorted(ranks.values()))
        raise ReaderError(
            f"{table.path}: the ranks of query {collection.ids[query]} are {told}, not 1 to "
            f"{len(ranks)}: each rank stands once"
        )
    return {image: grade_of(int(rank), len(ranks)) for image, rank in ranks.items()}
