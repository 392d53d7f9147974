"""What is taken of a collection for a table: images, labels, classes, splits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluation import relevance
from evaluation.collection import (
    NEGATIVE,
    POSITIVE,
    UNCERTAIN,
    Codes,
    Collection,
    CollectionError,
    Positions,
)
from evaluation.measures import measure
from evaluation.tasks import Part, Task

NO_FINDING = "No Finding"
SUPPORT = "Support Devices"
_NIH_ONLY = "Infiltration"
"""A label that only ChestX-ray14 has, whose images without a label are those without finding."""


def with_labels(collection: Collection, names: Sequence[str]) -> Collection:
    """The collection with these labels only.

    Raises:
        CollectionError: one is not there.
    """
    states = [collection.label(name) for name in names]
    return replace(collection, label_names=tuple(names), states=np.stack(states, axis=1))


def tested(collection: Collection) -> tuple[Positions, str]:
    """The images of the test split, all where there are no splits; and a word.

    Raises:
        CollectionError: there are splits, and none is ``test``.
    """
    if not collection.splits:
        return np.arange(len(collection)), "all images: the collection tells no splits"
    found = np.flatnonzero(np.array(collection.splits) == "test")
    if not len(found):
        there = ", ".join(sorted(set(collection.splits) - {""}))
        raise CollectionError(f"{collection.name} has no split 'test'; it has {there}")
    return found, f"the {len(found):,} images of split test"


@dataclass(frozen=True)
class Classes:
    """One class for each image.

    Attributes:
        codes: the place of its name, -1 for images that take no part.
        names: of the classes.
        told: how many take part, and why others do not.
    """

    codes: Codes
    names: tuple[str, ...]
    told: str

    @property
    def members(self) -> Positions:
        """Images that take part."""
        return np.flatnonzero(self.codes >= 0)


def single_label(collection: Collection) -> Classes:
    """Images of exactly one label and no uncertain one (paper 2); support devices are no label.

    Of ChestX-ray14, images without a label are a class of their own, ``No Finding``.

    Raises:
        CollectionError: fewer than two labels have such an image.
    """
    names = [name for name in collection.label_names if name.rpartition("/")[2] != SUPPORT]
    states = with_labels(collection, names).states if names else collection.states
    positive, unsure = states == POSITIVE, (states == UNCERTAIN).any(axis=1)
    one = (positive.sum(axis=1) == 1) & ~unsure
    codes = np.where(one, positive.argmax(axis=1), -1) if names else np.full(len(states), -1)
    if _NIH_ONLY in names and NO_FINDING not in names:
        codes = np.where((states == NEGATIVE).all(axis=1), len(names), codes)
        names = [*names, NO_FINDING]
    present, of_present = np.unique(codes[codes >= 0], return_inverse=True)
    if len(present) < 2:
        raise CollectionError(
            f"{collection.name}: {len(present)} labels have an image of no other label, two are "
            "needed"
        )
    dense = np.full(len(codes), -1, np.int64)
    dense[codes >= 0] = of_present
    several = int((positive.sum(axis=1) > 1).sum())
    told = (
        f"{int((codes >= 0).sum()):,} of {len(codes):,} images have exactly one label, of "
        f"{len(present)}; left out are {several:,} with several, and others with none or an "
        "uncertain one"
    )
    return Classes(dense, tuple(names[at] for at in present), told)


def against_no_finding(collection: Collection, label: str) -> Classes:
    """Images that have a label, and images without any finding (paper 1); others take no part.

    Raises:
        CollectionError: there is no such label.
    """
    positive = collection.label(label) == POSITIVE
    codes = np.where(positive, 1, np.where(without_finding(collection), 0, -1))
    told = f"{int(positive.sum()):,} images with {label}, {int((codes == 0).sum()):,} without any"
    return Classes(codes, (NO_FINDING, label), told)


def without_finding(collection: Collection) -> NDArray[np.bool_]:
    """Images of which every label is denied, or that are said to be without finding."""
    if NO_FINDING in collection.label_names:
        return np.asarray(collection.label(NO_FINDING) == POSITIVE)
    return np.asarray((collection.states == NEGATIVE).all(axis=1))


def class_task(
    name: str, classes: Classes, measures: Sequence[str], members: Positions | None = None
) -> Task:
    """Relevant is who is of the query's class; means are micro and over classes."""
    part = Part(
        "class",
        relevance.same(classes.codes, f"of the same class ({name})"),
        tuple(measure(one) for one in measures),
        ("micro", "class_mean"),
        classes.codes >= 0,
        classes.codes,
        classes.names,
    )
    taken = classes.members if members is None else members
    return Task(name, part.qrels.says, taken, (part,), measures[0])


def undersampled(classes: Classes, members: Positions, seed: int) -> Positions:
    """The members, of each class no more than the smallest has, by lot.

    Raises:
        CollectionError: a class has none.
    """
    counts: Mapping[int, Positions] = {
        at: members[classes.codes[members] == at] for at in range(len(classes.names))
    }
    fewest = min(len(some) for some in counts.values())
    if not fewest:
        empty = ", ".join(classes.names[at] for at, some in counts.items() if not len(some))
        raise CollectionError(f"no image that takes part is of class {empty}")
    random = np.random.default_rng(seed)
    return np.sort(np.concatenate([random.permutation(some)[:fewest] for some in counts.values()]))
