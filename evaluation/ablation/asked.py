"""The ablations of an evaluation: which images each of its tasks draws, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.ablation.curves import Ablation, Design, Pool, classes_enough
from evaluation.collection import Collection, CollectionError
from evaluation.tasks import Part, Rules, Task


@dataclass(frozen=True)
class Ablated:
    """What an ablation found of a task's classes by one measure.

    Attributes:
        task: its name.
        measure: the id.
        curves: of each system.
    """

    task: str
    measure: str
    curves: tuple[Ablation, ...]


def pool_of(task: Task, collection: Collection, rules: Rules) -> Pool:
    """The images of a task's classes: who may be drawn to ask, and who for the index.

    Raises:
        CollectionError: the task has no classes, or keeps values apart.
    """
    part = _classes(task)
    if part is None:
        raise CollectionError(f"{task.name}: an ablation draws images of each class, it has none")
    if task.within:
        raise CollectionError(
            f"{task.name}: an ablation lets images of all values of {task.within} answer; evaluate "
            "them apart (--where), or without keeping them apart (--within)"
        )
    return Pool(
        part.classes,
        part.class_names,
        collection.patient_codes(),
        rules.kept_apart(collection),
        task.members[rules.asking(collection)[task.members]],
        task.members[rules.answering(collection)[task.members]],
    )


def pools(
    tasks: Sequence[Task], collection: Collection, rules: Rules, design: Design
) -> tuple[tuple[str, Pool], ...]:
    """Each task that has classes, and the images that are drawn of them.

    Raises:
        CollectionError: no task has classes, one keeps values apart, or fewer than two classes have
            images enough; the message names the largest.
    """
    found = tuple(
        (task.name, pool_of(task, collection, rules))
        for task in tasks
        if _classes(task) is not None
    )
    if not found:
        raise CollectionError(
            f"{collection.name}: an ablation draws images of each class; name a column of classes "
            "(--classes)"
        )
    for _, pool in found:
        classes_enough(pool, design)
    return found


def by_measure(task: str, curves: Sequence[Ablation]) -> tuple[Ablated, ...]:
    """The curves of all systems, those of one measure together."""
    measures = dict.fromkeys(one.measure for one in curves)
    return tuple(
        Ablated(task, name, tuple(one for one in curves if one.measure == name))
        for name in measures
    )


def _classes(task: Task) -> Part | None:
    return next((part for part in task.parts if part.class_names), None)
