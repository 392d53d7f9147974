"""Which tasks a collection is evaluated by: as the user says, or as its columns suggest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evaluation import tasks
from evaluation.collection import POSITIVE, Collection, CollectionError, Positions
from evaluation.tasks import Rules, Task

CONFOUNDERS = (
    "view",
    "sex",
    "age_band",
    "scanner",
    "manufacturer",
    "station",
    "source",
    "origin",
    "dataset",
    "set",
    "modality",
    "body_part",
)
"""Attributes by which answers may be explained, where a collection has them."""


@dataclass(frozen=True)
class Wanted:
    """What the user asked for.

    Attributes:
        classes: columns that tell one class of each image.
        within: a column whose values are kept apart.
        labels: whether the labels are a task; None for where there are any.
        labels_where: ``COLUMN=VALUE``: only these images take part in it.
        all_answer: images without a positive label answer in it too.
        numbers: ``COLUMN:SCALE`` or ``COLUMN:SCALE:BIN,BIN``.
        strata: confounders; None for those that are known by name.
    """

    classes: tuple[str, ...] = ()
    within: str = ""
    labels: bool | None = None
    labels_where: tuple[str, ...] = ()
    all_answer: bool = False
    numbers: tuple[str, ...] = ()
    strata: tuple[str, ...] | None = None


def met(collection: Collection, conditions: Sequence[str]) -> Positions:
    """The images that meet all conditions.

    Raises:
        CollectionError: a condition cannot be read, its column is not there, or none meets them.
    """
    here = np.ones(len(collection), bool)
    for condition in conditions:
        column, equals, value = condition.partition("=")
        if not equals:
            raise CollectionError(f"{condition!r} is not COLUMN=VALUE")
        here &= collection.attribute(column) == value
    if not here.any():
        raise CollectionError(f"{collection.name} has no image with {' and '.join(conditions)}")
    return np.flatnonzero(here)


def planned(collection: Collection, wanted: Wanted, rules: Rules) -> list[Task]:
    """The tasks.

    Raises:
        CollectionError: a task cannot be made of the collection, or there is none.
    """
    found = [_classes(collection, column, wanted.within) for column in wanted.classes]
    found += [_number(collection, told) for told in wanted.numbers]
    has_labels = bool((collection.states == POSITIVE).any())
    if wanted.labels or (wanted.labels is None and has_labels and not found):
        members = met(collection, wanted.labels_where)
        found.append(
            tasks.any_label(collection, members, rules.uncertain, all_answer=wanted.all_answer)
        )
        found.append(tasks.each_label(collection, members, rules.uncertain))
    if not found:
        columns = ", ".join(collection.attributes) or "none"
        raise CollectionError(
            f"{collection.name} has no labels; name a column of classes (--classes), of {columns}"
        )
    return found


def strata(collection: Collection, wanted: Wanted) -> tuple[str, ...]:
    """The attributes that are looked at as confounders.

    Raises:
        CollectionError: one that was named is not there.
    """
    if wanted.strata is None:
        classes = set(wanted.classes)
        return tuple(name for name in CONFOUNDERS if name in collection.attributes.keys() - classes)
    for name in wanted.strata:
        collection.attribute(name)
    return wanted.strata


def _classes(collection: Collection, column: str, within: str) -> Task:
    """Classes within each value; a column that has one class in each value is asked among all."""
    whole = tasks.one_class(collection, column)
    if not within:
        return whole
    values = collection.attribute(within)
    pairs = {(values[at], whole.parts[0].classes[at]) for at in whole.members}
    if len(pairs) > len({value for value, _ in pairs}):
        return tasks.one_class(collection, column, within=within)
    return replace(whole, says=f"{whole.says}, among all: it is one within each {within}")


def _number(collection: Collection, told: str) -> Task:
    column, _, rest = told.partition(":")
    scale, _, bins = rest.partition(":")
    try:
        edges = [float(edge) for edge in bins.split(",")] if bins else []
        width = float(scale)
    except ValueError as fault:
        raise CollectionError(f"{told!r} is not COLUMN:SCALE or COLUMN:SCALE:BIN,BIN") from fault
    if not width > 0 or sorted(edges) != edges:
        raise CollectionError(f"{told!r}: the scale is above 0, and bins stand in ascending order")
    return tasks.as_near(collection, column, width, edges)
