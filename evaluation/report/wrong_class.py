"""Neighbours of the wrong class: which classes are taken for which, and the pairs themselves."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.evaluating import Judgement
from evaluation.nearest import NOBODY
from evaluation.report.answered import Groups, answered
from evaluation.tasks import Task

MOST_PAIRS = 200
TURN = 4
"""Pairs of one cell: one alone may be chance."""
NONE = "no label"


@dataclass(frozen=True)
class Pair:
    """A query and its first hit, by their places in the collection."""

    query: int
    hit: int
    similarity: float


@dataclass(frozen=True)
class Cell:
    """The pairs of a query's class and another class of its first hit.

    Attributes:
        asked: the class of the query, its place among the names.
        found: the class of the hit.
        count: how many pairs there are.
        pairs: some of them, the most similar first: where the system is surest, and wrong.
    """

    asked: int
    found: int
    count: int
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Confusion:
    """The first hits of all queries, by class.

    Attributes:
        system: who answered.
        task: what was asked.
        names: of the classes; rows are queries.
        columns: of the first hits: the same, and perhaps NONE.
        exclusive: each query stands in one cell; otherwise a query of several labels stands in
            several: on the diagonal for each label that the hit has too, and, where the hit shares
            none, beside each label of the hit.
        counts: shape (names, columns).
        wrong: queries whose first hit shares no class.
        cells: those off the diagonal that hold pairs to be shown, the fullest first.
    """

    system: str
    task: str
    names: tuple[str, ...]
    columns: tuple[str, ...]
    exclusive: bool
    counts: NDArray[np.int64]
    wrong: int
    cells: tuple[Cell, ...]

    @property
    def shown(self) -> int:
        """How many pairs are shown."""
        return sum(len(cell.pairs) for cell in self.cells)

    @property
    def images(self) -> Iterator[int]:
        """All that are shown."""
        for cell in self.cells:
            for pair in cell.pairs:
                yield from (pair.query, pair.hit)


def confusion(
    judgement: Judgement, task: Task, groups: Groups, *, most: int = MOST_PAIRS
) -> Confusion | None:
    """Count first hits by class; None where there are fewer than two classes, or no hits."""
    run, _ = answered(task, judgement.run, 1)
    first = run.neighbours[:, 0]
    counted = (first != NOBODY) & groups.members[run.queries].any(axis=1)
    if len(groups.names) < 2 or not counted.any():
        return None
    queries, first = run.queries[counted], first[counted]
    asked, found = groups.members[queries], _with_none(groups.members[first])
    both = asked & found[:, :-1]
    wrong = ~both.any(axis=1)
    counts = asked[wrong].T.astype(np.int64) @ found[wrong].astype(np.int64)
    counts[np.diag_indices(len(groups.names))] += both.sum(axis=0)
    columns = (*groups.names, NONE)
    pairs = _Pairs(queries[wrong], first[wrong], run.similarities[counted, 0][wrong])
    cells = _cells(counts, asked[wrong], found[wrong], pairs, most)
    if not counts[:, -1].any():
        columns, counts = groups.names, counts[:, :-1]
    return Confusion(
        judgement.system,
        task.name,
        groups.names,
        columns,
        groups.exclusive,
        counts,
        int(wrong.sum()),
        cells,
    )


@dataclass(frozen=True)
class _Pairs:
    queries: NDArray[np.int64]
    hits: NDArray[np.int64]
    similarities: NDArray[np.float64]

    def best(self, some: NDArray[np.bool_], most: int) -> tuple[Pair, ...]:
        """The most similar; of those equally similar the one that asked first."""
        rows = np.flatnonzero(some)
        order = rows[np.argsort(-self.similarities[rows], kind="stable")][:most]
        return tuple(
            Pair(int(self.queries[at]), int(self.hits[at]), float(self.similarities[at]))
            for at in order
        )


def _with_none(members: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.concatenate([members, ~members.any(axis=1, keepdims=True)], axis=1)


def _cells(
    counts: NDArray[np.int64],
    asked: NDArray[np.bool_],
    found: NDArray[np.bool_],
    pairs: _Pairs,
    most: int,
) -> tuple[Cell, ...]:
    off = counts.copy()
    np.fill_diagonal(off, 0)
    rows, columns = np.nonzero(off)
    order = np.argsort(-off[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    shares = _shared_out(off[rows, columns], most)
    return tuple(
        Cell(
            int(row),
            int(column),
            int(off[row, column]),
            pairs.best(asked[:, row] & found[:, column], int(share)),
        )
        for row, column, share in zip(rows, columns, shares, strict=True)
        if share
    )


def _shared_out(counts: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """How many pairs each cell shows: by turns, a few each, the fullest cells first."""
    shares = np.zeros_like(counts)
    left = most
    while left and (shares < counts).any():
        for at in np.flatnonzero(shares < counts):
            more = min(TURN, left, int(counts[at] - shares[at]))
            shares[at] += more
            left -= more
    return shares
