"""The main path of a report: what an evaluation found becomes a document, with its pictures."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.ablation.asked import Ablated
from evaluation.collection import Collection, Texts
from evaluation.evaluating import Judgement, System
from evaluation.probing.asked import Probed
from evaluation.report.answered import Groups, groups_of
from evaluation.report.class_size import by_class_size
from evaluation.report.comparisons import comparisons
from evaluation.report.document import Document, described
from evaluation.report.drawing import Picture
from evaluation.report.facts import facts
from evaluation.report.maps import MapError, coloured, tsne, umap
from evaluation.report.panels import Panel, panels
from evaluation.report.provenance import Provenance
from evaluation.report.thumbnails import Thumbnail, thumbnails
from evaluation.report.wrong_class import MOST_PAIRS, Confusion, confusion
from evaluation.shadow import Shadow
from evaluation.systems.embedding import Progress, quiet
from evaluation.tasks import Rules, Task

SEVERAL, NO_LABEL = "several labels", "no label"
EXAMPLES = 5
METHODS = (tsne, umap)
FEWEST_PAIRS = 20
"""Of each judgement; all share what one page may hold."""


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation was of, and what it found.

    Attributes:
        collection: the images.
        rules: of the game.
        tasks: what was asked.
        systems: who was asked, with vectors.
        judgements: each system on each task.
        strata: the attributes that were looked at; maps are coloured by them too.
        probes: what was found, as in `Document`.
        ablations: likewise.
        shadow: likewise.
    """

    collection: Collection
    rules: Rules
    tasks: tuple[Task, ...]
    systems: tuple[System, ...]
    judgements: tuple[Judgement, ...]
    strata: tuple[str, ...] = ()
    probes: tuple[Probed, ...] | None = None
    ablations: tuple[Ablated, ...] | None = None
    shadow: Shadow | None = None


def compose(
    evaluated: Evaluated,
    provenance: Provenance,
    *,
    maps: bool = True,
    more: Sequence[Picture] = (),
    progress: Progress = quiet,
) -> Document:
    """The whole report.

    Args:
        evaluated: what it is about.
        provenance: what it was made with.
        maps: draw t-SNE, and UMAP where it is installed; minutes for thousands of images.
        more: further pictures.
        progress: is told how many steps are done, of how many: maps, and images to be read.
    """
    notes: list[str] = []
    shown = [_Shown.of(evaluated, one) for one in evaluated.judgements]
    told_apart = tuple(_told_apart(shown))
    found = tuple(panel for one in told_apart for panel in one.panels())
    pairs = max(FEWEST_PAIRS, MOST_PAIRS // max(len(told_apart), 1))
    confused = tuple(table for one in told_apart if (table := one.confusion(pairs)) is not None)
    pictures = [picture for one in shown if (picture := one.by_class_size()) is not None]
    images = set(_images(found, confused)) if evaluated.collection.paths else set()
    steps = len(evaluated.systems) * len(METHODS) if maps else 0
    if maps:
        tell = _part_of(progress, 0, steps + len(images))
        pictures += _maps(evaluated, notes, tell)
    tell = _part_of(progress, steps, steps + len(images))
    small = thumbnails(evaluated.collection, images, tell)
    return Document(
        provenance=provenance,
        collection=facts(evaluated.collection),
        rules=evaluated.rules,
        tasks=evaluated.tasks,
        systems=tuple(described(one) for one in evaluated.systems),
        judgements=evaluated.judgements,
        comparisons=comparisons(evaluated.tasks, evaluated.judgements, seed=evaluated.rules.seed),
        pictures=(*pictures, *more),
        panels=found,
        confusions=confused,
        thumbnails=small,
        notes=(*evaluated.collection.notes, *notes, *_missing(evaluated.collection, small)),
        probes=evaluated.probes,
        ablations=evaluated.ablations,
        shadow=evaluated.shadow,
    )


@dataclass(frozen=True)
class _Shown:
    """A judgement beside what its pictures need."""

    evaluated: Evaluated
    judgement: Judgement
    task: Task
    groups: Groups

    @classmethod
    def of(cls, evaluated: Evaluated, judgement: Judgement) -> "_Shown":
        task = next(one for one in evaluated.tasks if one.name == judgement.task)
        groups = groups_of(task, evaluated.collection, evaluated.rules.uncertain)
        return cls(evaluated, judgement, task, groups)

    def panels(self) -> tuple[Panel, ...]:
        return panels(self.judgement, self.task, self.groups, seed=self.evaluated.rules.seed)

    def confusion(self, most: int) -> Confusion | None:
        return confusion(self.judgement, self.task, self.groups, most=most)

    def by_class_size(self) -> Picture | None:
        return by_class_size(
            self.judgement,
            self.task,
            self.evaluated.collection,
            self.groups,
            self.evaluated.rules,
        )


def _told_apart(shown: Iterable[_Shown]) -> Iterator[_Shown]:
    """Yield those whose panels differ: any label and each label in common give the same ones."""
    by_labels = set()
    for one in shown:
        if one.groups.exclusive:
            yield one
        elif one.judgement.system not in by_labels:
            by_labels.add(one.judgement.system)
            yield one


def _part_of(progress: Progress, before: int, total: int) -> Progress:
    """Progress of one part of the work."""
    return lambda done, _: progress(before + done, total)


def _maps(evaluated: Evaluated, notes: list[str], progress: Progress) -> Iterator[Picture]:
    """Yield the maps of all systems; why there is none is noted."""
    everyone = np.arange(len(evaluated.collection))
    of_tasks = [task.members for task in evaluated.tasks] or [everyone]
    members = np.unique(np.concatenate(of_tasks))
    columns = _columns(evaluated)
    works = [(system, method) for system in evaluated.systems for method in METHODS]
    for done, (system, method) in enumerate(works, 1):
        try:
            made = method(system, members, seed=evaluated.rules.seed)
        except MapError as fault:
            if str(fault) not in notes:
                notes.append(str(fault))
        else:
            for name, texts in columns.items():
                yield coloured(made, name, texts)
        progress(done, len(works))


def _columns(evaluated: Evaluated) -> dict[str, Sequence[str]]:
    """What maps are coloured by: each task's classes, then the attributes that were looked at.

    A map in one colour would show nothing.
    """
    collection = evaluated.collection
    found: dict[str, Sequence[str]] = {}
    for task in evaluated.tasks:
        groups = groups_of(task, collection, evaluated.rules.uncertain)
        if groups.names:
            found.setdefault(task.name if groups.exclusive else "labels", _texts(groups))
    for name in evaluated.strata:
        texts: Texts = collection.attributes[name]
        found[name] = texts.tolist()
    return {name: column for name, column in found.items() if len(set(column)) > 1}


def _texts(groups: Groups) -> list[str]:
    """One text for each image: its class."""
    found = []
    for at in range(len(groups.members)):
        own = groups.of(at)
        if len(own) > 1:
            found.append(SEVERAL)
        else:
            found.append(own[0] if own else "" if groups.exclusive else NO_LABEL)
    return found


def _images(found: Iterable[Panel], confused: Iterable[Confusion]) -> Iterator[int]:
    for panel in found:
        yield from panel.images
    for table in confused:
        yield from table.images


def _missing(collection: Collection, small: Mapping[int, Thumbnail]) -> Iterator[str]:
    if not collection.paths:
        yield "The collection has no image files, so that panels show no pictures."
    faults = [one.fault for one in small.values() if one.fault]
    if faults:
        yield (
            f"{len(faults)} of {len(small)} images could not be read for their pictures, such as "
            f"{'; '.join(faults[:EXAMPLES])}"
        )
