"""A judgement's rows, sorted into the tables that a reader looks for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evaluation.confounders import Confounder
from evaluation.evaluating import Judgement, Row, of_the_whole
from evaluation.figures import Figure
from evaluation.report.document import Document
from evaluation.tasks import Task


@dataclass(frozen=True)
class Line:
    """A line of the main table.

    Attributes:
        system: who answered.
        main: the mean over queries, where it was asked for.
        others: the other means.
    """

    system: str
    main: Figure
    others: tuple[Figure, ...]


@dataclass(frozen=True)
class Block:
    """The lines of one measure, all systems below each other."""

    part: str
    measure: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class GroupBlock:
    """One class, or one value of an attribute: all systems below each other."""

    name: str
    lines: tuple[tuple[str, Figure], ...]


def class_rows(judgement: Judgement, task: Task, measure: str) -> Iterator[tuple[str, Figure]]:
    """Yield each class with its figure; a measure that was told twice is told once."""
    rows = (row for row in _head(judgement, task) if row.group and row.figure.measure == measure)
    yield from {row.group: row.figure for row in rows}.items()


def kept_apart_rows(judgement: Judgement, task: Task) -> tuple[Row, ...]:
    """Those of a task that keeps an attribute's values apart: each value, and the mean."""
    head = len(_head(judgement, task))
    return judgement.rows[head : len(judgement.rows) - _strata(judgement.confounders)]


def headline(judgement: Judgement, task: Task) -> Figure:
    """The one figure that a verdict is about: the headline measure over queries."""
    rows = (
        row.figure for row in of_the_whole(judgement.rows) if row.figure.measure == task.headline
    )
    return next(rows)


def blocks(document: Document, task: Task) -> Iterator[Block]:
    """Yield the main table of a task, in the order in which it was measured."""
    yield from blocks_of([(one.system, of_the_whole(one.rows)) for one in document.of_task(task)])


def blocks_of(rows: Sequence[tuple[str, Sequence[Row]]]) -> Iterator[Block]:
    """Yield the measures in their order; every system has the same rows, over the whole."""
    by_key = [(system, _by_key(own)) for system, own in rows]
    for part, measure in by_key[0][1] if by_key else ():
        lines = tuple(_line(system, found[part, measure]) for system, found in by_key)
        yield Block(part, measure, lines)


def other_means(found: Sequence[Block]) -> tuple[str, ...]:
    """The means that a table has beside that over queries."""
    means = (figure.mean for block in found for line in block.lines for figure in line.others)
    return tuple(dict.fromkeys(means))


def by_attribute(
    document: Document, task: Task
) -> tuple[tuple[str, tuple[tuple[str, Confounder], ...]], ...]:
    """Each attribute with what is told of it for each system."""
    found: dict[str, list[tuple[str, Confounder]]] = {}
    for judgement in document.of_task(task):
        for one in judgement.confounders:
            found.setdefault(one.attribute, []).append((judgement.system, one))
    return tuple((name, tuple(lines)) for name, lines in found.items())


def strata_blocks(document: Document, task: Task) -> tuple[GroupBlock, ...]:
    """Each value that is kept apart, then each value of each attribute, by the headline."""
    found: dict[str, list[tuple[str, Figure]]] = {}
    for judgement in document.of_task(task):
        for row in kept_apart_rows(judgement, task):
            if row.figure.measure == task.headline:
                found.setdefault(row.group, []).append((judgement.system, row.figure))
        for one in judgement.confounders:
            for value, figure in one.strata:
                key = f"{one.attribute} = {value}"
                found.setdefault(key, []).append((judgement.system, figure))
    return tuple(GroupBlock(name, tuple(lines)) for name, lines in found.items())


def class_blocks(document: Document, task: Task, measure: str) -> tuple[GroupBlock, ...]:
    """The classes of a task by one measure."""
    found: dict[str, list[tuple[str, Figure]]] = {}
    for judgement in document.of_task(task):
        for name, figure in class_rows(judgement, task, measure):
            found.setdefault(name, []).append((judgement.system, figure))
    return tuple(GroupBlock(name, tuple(lines)) for name, lines in found.items())


def class_measures(document: Document, task: Task) -> tuple[str, ...]:
    """The measures that tell classes, the headline first."""
    ids = {
        row.figure.measure: None
        for judgement in document.of_task(task)
        for row in _head(judgement, task)
        if row.group
    }
    return tuple(sorted(ids, key=lambda one: one != task.headline))


def _by_key(rows: Sequence[Row]) -> dict[tuple[str, str], dict[str, Figure]]:
    """The means of each part and measure, by their names."""
    found: dict[tuple[str, str], dict[str, Figure]] = {}
    for row in rows:
        found.setdefault((row.part, row.figure.measure), {})[row.figure.mean] = row.figure
    return found


def _line(system: str, means: dict[str, Figure]) -> Line:
    main = means.get("micro") or next(iter(means.values()))
    return Line(system, main, tuple(one for one in means.values() if one is not main))


def _strata(confounders: Sequence[Confounder]) -> int:
    """The rows of strata stand last, one for each."""
    return sum(len(one.strata) for one in confounders)


def _head(judgement: Judgement, task: Task) -> tuple[Row, ...]:
    """Rows of the whole and of classes, before those that are kept apart and those of strata."""
    rows = judgement.rows[: len(judgement.rows) - _strata(judgement.confounders)]
    if not task.within:
        return rows
    first = f"mean over {task.within}"
    return rows[: next((at for at, row in enumerate(rows) if row.group == first), len(rows))]
