"""A collection in numbers: what a reader must know of it before he reads a figure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from evaluation.collection import NEGATIVE, POSITIVE, UNCERTAIN, UNSAID, Collection

MOST_VALUES = 50
"""Of an attribute so many values are named, the most frequent first."""


@dataclass(frozen=True)
class LabelCount:
    """How many images say what of a label."""

    name: str
    positive: int
    negative: int
    uncertain: int
    unsaid: int


@dataclass(frozen=True)
class ValueCounts:
    """The values of an attribute.

    Attributes:
        name: of the attribute.
        values: each value with its images, the most frequent first.
        more: how many values are not named.
        images_of_more: the images that have one of these.
        unknown: images without a value.
    """

    name: str
    values: tuple[tuple[str, int], ...]
    more: int
    images_of_more: int
    unknown: int


@dataclass(frozen=True)
class NumberFacts:
    """A measured value: how many images have it, and its spread; NaN where none has."""

    name: str
    known: int
    least: float
    median: float
    greatest: float


@dataclass(frozen=True)
class Facts:
    """What a collection holds.

    Attributes:
        name: of the collection.
        images: how many.
        patients: how many.
        studies: how many, 0 where studies are not told.
        has_files: whether there are images to be shown.
        labels: how often each is said.
        splits: each split with its images.
        attributes: view, sex, scanner ...
        numbers: weight, age ...
    """

    name: str
    images: int
    patients: int
    studies: int
    has_files: bool
    labels: tuple[LabelCount, ...]
    splits: tuple[tuple[str, int], ...]
    attributes: tuple[ValueCounts, ...]
    numbers: tuple[NumberFacts, ...]


def facts(collection: Collection) -> Facts:
    """Count it."""
    return Facts(
        name=collection.name,
        images=len(collection),
        patients=len(set(collection.patients)),
        studies=len(set(collection.studies)),
        has_files=bool(collection.paths),
        labels=tuple(_labels(collection)),
        splits=tuple(sorted(Counter(collection.splits).items())),
        attributes=tuple(
            _values(name, column.tolist()) for name, column in collection.attributes.items()
        ),
        numbers=tuple(_number(name, column) for name, column in collection.numbers.items()),
    )


def _labels(collection: Collection) -> Iterable[LabelCount]:
    for at, name in enumerate(collection.label_names):
        states = collection.states[:, at]
        yield LabelCount(
            name,
            *(int((states == state).sum()) for state in (POSITIVE, NEGATIVE, UNCERTAIN, UNSAID)),
        )


def _values(name: str, column: Iterable[str]) -> ValueCounts:
    counted = Counter(column)
    unknown = counted.pop("", 0)
    order = sorted(counted.items(), key=lambda entry: (-entry[1], entry[0]))
    named, rest = order[:MOST_VALUES], order[MOST_VALUES:]
    return ValueCounts(name, tuple(named), len(rest), sum(count for _, count in rest), unknown)


def _number(name: str, column: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> NumberFacts:
    known = column[np.isfinite(column)]
    if not len(known):
        return NumberFacts(name, 0, *(float("nan"),) * 3)
    return NumberFacts(
        name, len(known), float(known.min()), float(np.median(known)), float(known.max())
    )
