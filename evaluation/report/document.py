"""An evaluation as one value: what was asked of what, by which rules, and all that came of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType

from evaluation.ablation.asked import Ablated
from evaluation.comparison import Difference
from evaluation.evaluating import Judgement, System
from evaluation.measures import Measure, measure
from evaluation.probing.asked import Probed
from evaluation.report.drawing import Picture
from evaluation.report.facts import Facts
from evaluation.report.panels import Panel
from evaluation.report.provenance import Provenance
from evaluation.report.thumbnails import Thumbnail
from evaluation.report.wrong_class import Confusion
from evaluation.shadow import Shadow
from evaluation.tasks import Rules, Task
from storage.vectors.metric import Metric

BITS = 8


@dataclass(frozen=True)
class Described:
    """A system without its vectors.

    Attributes:
        name: for the tables.
        dimension: of its vectors; of codes the bits.
        metric: by which they are compared.
        space: the id of the vector space, empty where there is none.
    """

    name: str
    dimension: int
    metric: str
    space: str = ""


@dataclass(frozen=True)
class Comparison:
    """Two systems on one task, by the task's headline measure.

    Attributes:
        task: its name.
        measure: the id.
        first: the system that the second is taken from.
        second: the other.
        differences: of all queries, then of each class; ``p_holm`` is corrected for all
            comparisons of the task.
    """

    task: str
    measure: str
    first: str
    second: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Document:
    """All that a report says.

    Attributes:
        provenance: what it was made with.
        collection: what was evaluated.
        rules: of the game.
        tasks: what was asked.
        systems: who was asked.
        judgements: each system on each task.
        comparisons: of systems with each other.
        pictures: plots and maps.
        panels: queries with their hits.
        confusions: neighbours of the wrong class.
        thumbnails: by the image's place in the collection.
        notes: what was left out, and why.
        probes: of each task's classes or labels, systems below each other; None where none was
            asked for.
        ablations: of each task's classes; None where none was asked for.
        shadow: what an archive's own answers would have been like; None of other collections.
    """

    provenance: Provenance
    collection: Facts
    rules: Rules
    tasks: tuple[Task, ...]
    systems: tuple[Described, ...]
    judgements: tuple[Judgement, ...]
    comparisons: tuple[Comparison, ...] = ()
    pictures: tuple[Picture, ...] = ()
    panels: tuple[Panel, ...] = ()
    confusions: tuple[Confusion, ...] = ()
    thumbnails: Mapping[int, Thumbnail] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    probes: tuple[Probed, ...] | None = None
    ablations: tuple[Ablated, ...] | None = None
    shadow: Shadow | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "thumbnails", MappingProxyType(dict(self.thumbnails)))

    def task(self, name: str) -> Task:
        """The task of a judgement."""
        return next(task for task in self.tasks if task.name == name)

    def of_task(self, task: Task) -> tuple[Judgement, ...]:
        """The judgements of a task, in the order of the systems."""
        return tuple(one for one in self.judgements if one.task == task.name)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The definitions of all ids of retrieval that the report names, by id and depth."""
        told = (one for task in self.tasks for part in task.parts for one in part.measures)
        others = (measure(name) for name in self._of_others())
        found = {one.id: one for one in chain(told, others)}
        return tuple(sorted(found.values(), key=lambda one: (one.id.partition("@")[0], one.k)))

    def _of_others(self) -> Iterator[str]:
        for judgement in self.judgements:
            for one in judgement.confounders:
                yield one.shared.measure
        for ablated in self.ablations or ():
            yield ablated.measure

    @property
    def probe_measures(self) -> tuple[str, ...]:
        """The ids of all measures of classification that the report names."""
        rows = (row for one in self.probes or () for row in one.probe.rows)
        return tuple(dict.fromkeys(row.figure.measure for row in rows))


def described(system: System) -> Described:
    """A system as the report names it."""
    width = int(system.vectors.shape[1])
    dimension = width * BITS if system.metric is Metric.HAMMING else width
    return Described(system.name, dimension, str(system.metric), system.space)
