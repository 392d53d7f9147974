"""What a probe is to tell of each image: its class, or each of its labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluation.collection import Codes, Collection, CollectionError, Positions
from evaluation.label_sets import decided
from evaluation.relevance import Values
from evaluation.tasks import Rules, Task

Yes = NDArray[np.bool_]


@dataclass(frozen=True)
class Targets:
    """What is true of the images.

    Attributes:
        names: of the classes or labels.
        positive: shape (images, names).
        known: in the same shape; what is not known is neither learned nor judged.
        one_each: each image has exactly one class, and those that have none take no part.
    """

    names: tuple[str, ...]
    positive: Yes
    known: Yes
    one_each: bool

    @property
    def takes_part(self) -> Yes:
        """Which images something is known of, shape (images,)."""
        return np.asarray(self.known.any(axis=1))

    def prevalence(self, some: Positions) -> Values:
        """The share of positive images among those that are known, shape (names,); 0 of none."""
        counts = self.known[some].sum(axis=0)
        return np.asarray(self.positive[some].sum(axis=0) / np.maximum(counts, 1))

    def decided(self, probabilities: Values) -> Yes:
        """The most probable class, the first of several; or each label above one half."""
        if not self.one_each:
            return probabilities > 0.5
        chosen = np.zeros(probabilities.shape, bool)
        chosen[np.arange(len(probabilities)), probabilities.argmax(axis=1)] = True
        return chosen


def of_task(task: Task, collection: Collection, rules: Rules) -> Targets | None:
    """What a task asks of the images that take part in it: their classes, or each of its labels.

    None where it knows neither. Labels that several tasks ask for are the targets of that by label.

    Raises:
        CollectionError: there are fewer than two classes.
    """
    takes_part = np.zeros(len(collection), bool)
    takes_part[task.members] = True
    for part in task.parts:
        if part.class_names:
            return of_classes(np.where(takes_part, part.classes, -1), part.class_names)
    if not task.by_label:
        return None
    every = of_labels(collection, rules)
    return replace(every, known=every.known & takes_part[:, None])


def of_labels(collection: Collection, rules: Rules) -> Targets:
    """The collection's labels, uncertain ones by the rule.

    Raises:
        CollectionError: there are no labels.
    """
    if not collection.label_names:
        raise CollectionError(f"{collection.name} has no labels to be told")
    positive, known = decided(collection.states, rules.uncertain)
    return Targets(collection.label_names, positive, known, one_each=False)


def of_classes(codes: Codes, names: Sequence[str]) -> Targets:
    """One class for each image, -1 for those that take no part.

    Raises:
        CollectionError: there are fewer than two classes.
    """
    if len(names) < 2:
        raise CollectionError(f"two classes at least are needed, there are {len(names)}")
    positive = codes[:, None] == np.arange(len(names))
    known = np.repeat((codes >= 0)[:, None], len(names), axis=1)
    return Targets(tuple(names), positive, known, one_each=True)
