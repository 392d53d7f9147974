"""A collection as a recipe's network is to learn it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from encoders.training.examples import Examples, Known, Targets
from encoders.training.fault import TrainingError
from encoders.training.recipe import Aim
from encoders.training.recipe import Targets as Asked
from evaluation.collection import POSITIVE, Collection, Positions
from evaluation.label_sets import consolidated, decided
from evaluation.learning.labels import NO_FINDING, without_findings
from evaluation.learning.taught import taught_of
from evaluation.readers.teacher import Teacher

LABEL = "label"
"""Instead of a column's name: the label of images that have exactly one."""


def examples_of(collection: Collection, asked: Asked, teacher: Teacher | None = None) -> Examples:
    """The images that a recipe can learn from, with their targets; who is left out is noted.

    Args:
        collection: the images.
        asked: what is to be learned of them.
        teacher: what another network says of them; read only where the recipe asks for it.

    Raises:
        TrainingError: there are no image files; a label or column is not there, or says nothing;
            a number cannot be read.
        CollectionError: the label set does not fit the collection.
    """
    if not collection.paths:
        raise TrainingError(f"{collection.name} has no image files to learn from")
    found = _OF_AIM[asked.aim](collection, asked)
    taught = taught_of(collection, asked, teacher)
    if taught is None:
        return found
    place = {one: at for at, one in enumerate(collection.ids)}
    return replace(found, taught=taught.take(np.array([place[one] for one in found.ids])))


def _labels(collection: Collection, asked: Asked) -> Examples:
    found = consolidated(collection, asked.label_set) if asked.label_set else collection
    names = asked.names or found.label_names
    missing = [name for name in names if name not in found.label_names]
    if missing or not names:
        raise TrainingError(
            f"{collection.name} has no label {', '.join(missing)}; it has "
            f"{', '.join(found.label_names) or 'none'}: name others with --target"
        )
    if asked.aim == "label" and len(names) > 1:
        raise TrainingError(
            f"one label is to be learned, and label set {asked.label_set} has "
            f"{', '.join(names)}: name one with --target"
        )
    states = np.stack([found.label(name) for name in names], axis=1)
    positive, known = decided(states, asked.uncertain, unsaid_known=False)
    kept = known.any(axis=1)
    if asked.negatives == "no finding":
        kept &= positive.any(axis=1) | without_findings(collection)
    return _examples(
        collection,
        np.flatnonzero(kept),
        tuple(names),
        positive.astype(np.float32),
        known,
        f"{(~kept).sum()} images whose labels do not serve ({', '.join(names)})",
    )


def _classes(collection: Collection, asked: Asked) -> Examples:
    column = asked.names[0]
    values = _only_label(collection) if column == LABEL else collection.attribute(column)
    kept = np.flatnonzero(values != "")
    outputs, codes = np.unique(values[kept], return_inverse=True)
    if len(outputs) < 2:
        raise TrainingError(
            f"{collection.name}: {column} tells {len(outputs)} classes; two are needed at least"
        )
    targets = np.zeros((len(collection), len(outputs)), np.float32)
    targets[kept, codes] = 1
    known = np.zeros(targets.shape, bool)
    known[kept] = True
    left = len(collection) - len(kept)
    says = f"{left} images without one {column}"
    return _examples(collection, kept, tuple(map(str, outputs)), targets, known, says)


def _only_label(collection: Collection) -> NDArray[np.str_]:
    positive = collection.states == POSITIVE
    names = np.array(["", *collection.label_names])
    found: NDArray[np.str_] = names[
        np.where(positive.sum(axis=1) == 1, positive.argmax(axis=1) + 1, 0)
    ]
    return np.where((found == "") & without_findings(collection), NO_FINDING, found)


def _number(collection: Collection, asked: Asked) -> Examples:
    column = asked.names[0]
    values = collection.numbers.get(column)
    if values is None:
        values = _parsed(collection.attribute(column), column)
    kept = np.flatnonzero(np.isfinite(values))
    if not len(kept):
        raise TrainingError(f"{collection.name}: {column} is told of no image")
    known = np.isfinite(values)[:, None]
    told = np.where(known[:, 0], values, 0)
    if (greatest := np.abs(told).max()) > np.finfo(np.float32).max:
        raise TrainingError(f"{collection.name}: {column} reaches {greatest:g}, which is no value")
    targets = told.astype(np.float32)[:, None]
    says = f"{len(collection) - len(kept)} images without {column}"
    return _examples(collection, kept, (column,), targets, known, says)


def _parsed(texts: Sequence[str] | NDArray[np.str_], column: str) -> NDArray[np.float64]:
    found = np.full(len(texts), np.nan)
    wrong = []
    for at, text in enumerate(texts):
        try:
            found[at] = float(text) if text else np.nan
        except ValueError:
            wrong.append(str(text))
    if wrong:
        raise TrainingError(f"{column} is no number of {len(wrong)} images, such as {wrong[0]!r}")
    return found


def _examples(
    collection: Collection,
    kept: Positions,
    outputs: tuple[str, ...],
    targets: Targets,
    known: Known,
    left_out: str,
) -> Examples:
    whole = Examples(
        name=collection.name,
        ids=collection.ids,
        paths=collection.paths,
        patients=collection.patients,
        outputs=outputs,
        targets=np.where(known, targets, 0).astype(np.float32),
        known=known,
        splits=collection.splits,
        boxes=collection.boxes,
        findings=None if collection.region_states is None else collection.region_states == POSITIVE,
        notes=collection.notes,
    )
    note = () if len(kept) == len(collection) else (f"left out: {left_out}",)
    return replace(whole.take(kept), notes=(*collection.notes, *note))


_OF_AIM: Mapping[Aim, Callable[[Collection, Asked], Examples]] = MappingProxyType(
    {"label": _labels, "labels": _labels, "class": _classes, "number": _number}
)
