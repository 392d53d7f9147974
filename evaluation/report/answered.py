"""A judgement's answers, and what the images are, as pictures and tables show them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.collection import Collection
from evaluation.label_sets import UncertaintyRule, decided
from evaluation.nearest import Run
from evaluation.relevance import Values
from evaluation.tasks import Part, Task


@dataclass(frozen=True)
class Groups:
    """The classes or labels of images.

    Attributes:
        names: of the classes.
        members: shape (images, names): which image is of which.
        exclusive: an image is of one class at most.
    """

    names: tuple[str, ...]
    members: NDArray[np.bool_]
    exclusive: bool

    def of(self, image: int) -> tuple[str, ...]:
        """The names of an image's classes."""
        return tuple(self.names[at] for at in np.flatnonzero(self.members[image]))


def headline_part(task: Task) -> Part:
    """The relevance rule that a task's headline measures."""
    return next(one for one in task.parts if any(m.id == task.headline for m in one.measures))


def answered(task: Task, run: Run, depth: int) -> tuple[Run, Values]:
    """The first answers to the queries that ask, and the gain of each, shape (queries, depth).

    The rule is the headline's; in a task by label, whoever shares any of its labels is relevant.
    """
    run = run.first(depth)
    parts: Sequence[Part] = task.parts if task.by_label else (headline_part(task),)
    asks = np.logical_or.reduce([part.qrels.asks for part in parts])[run.queries]
    run = Run(run.queries[asks], run.neighbours[asks], run.similarities[asks])
    return run, np.maximum.reduce([part.qrels.of(run) for part in parts])


def groups_of(task: Task, collection: Collection, uncertain: UncertaintyRule) -> Groups:
    """A task's classes; its labels; or all labels of the collection."""
    for part in task.parts:
        if part.class_names:
            members = part.classes[:, None] == np.arange(len(part.class_names))
            return Groups(part.class_names, members, exclusive=True)
    if task.by_label:
        has_it = [part.qrels.kinds == 1 for part in task.parts]
        names = tuple(part.name for part in task.parts)
        return Groups(names, np.stack(has_it, axis=1), exclusive=False)
    positive, _ = decided(collection.states, uncertain)
    return Groups(collection.label_names, positive, exclusive=False)
