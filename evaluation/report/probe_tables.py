"""What probes found, sorted into the tables that a reader looks for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evaluation.evaluating import of_the_whole
from evaluation.figures import Figure
from evaluation.probing.asked import Kind, Probed
from evaluation.report.rows import Block, GroupBlock, blocks_of

TITLES: Mapping[Kind, str] = {"knn": "votes of the nearest (kNN)", "linear": "linear classifier"}
OF_CLASSES = "auprc"
"""By which classes are told on the page; the table as a file has all measures."""


@dataclass(frozen=True)
class ProbeTable:
    """One kind of probe on one task.

    Attributes:
        task: whose classes or labels were told.
        title: of the probe.
        training: images that were learned from, or voted.
        validation: images that something was chosen by.
        test: images that it was judged by.
        blocks: a measure each, over the whole; all systems below each other.
        classes: each class by OF_CLASSES.
        says: of each system, how its probe was made.
        left_out: classes that do not enter the class means, with the reason.
    """

    task: str
    title: str
    training: int
    validation: int
    test: int
    blocks: tuple[Block, ...]
    classes: tuple[GroupBlock, ...]
    says: tuple[tuple[str, str], ...]
    left_out: tuple[tuple[str, str], ...]


def probe_tables(found: Sequence[Probed]) -> Iterator[ProbeTable]:
    """Yield a table for each task and kind, in the order in which they were asked for."""
    by_key: dict[tuple[str, Kind], list[Probed]] = {}
    for one in found:
        by_key.setdefault((one.task, one.kind), []).append(one)
    for (task, kind), some in by_key.items():
        first = some[0]
        yield ProbeTable(
            task,
            TITLES[kind],
            first.training,
            first.validation,
            first.test,
            tuple(blocks_of([(one.probe.system, of_the_whole(one.probe.rows)) for one in some])),
            _classes(some),
            tuple((one.probe.system, one.probe.says) for one in some),
            first.probe.left_out,
        )


def _classes(some: Sequence[Probed]) -> tuple[GroupBlock, ...]:
    found: dict[str, list[tuple[str, Figure]]] = {}
    for one in some:
        for row in one.probe.rows:
            if row.group and row.figure.measure == OF_CLASSES:
                found.setdefault(row.group, []).append((one.probe.system, row.figure))
    return tuple(GroupBlock(name, tuple(lines)) for name, lines in found.items())
