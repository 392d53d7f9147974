"""What a network learns beside its targets: attributes of the image, and a teacher's opinion."""

import numpy as np
from numpy.typing import NDArray

from encoders.training.examples import Taught
from encoders.training.fault import TrainingError
from encoders.training.recipe import Targets as Asked
from evaluation.collection import Collection
from evaluation.learning.labels import without_findings
from evaluation.readers.teacher import Teacher

NOTHING_FOUND = "no finding"
_LEAST_DEVIATION = 1e-3


def taught_of(collection: Collection, asked: Asked, teacher: Teacher | None) -> Taught | None:
    """The columns, one entry for each image of the collection; None where none are asked for.

    A teacher's log odds are brought to mean 0 and deviation 1 over the images that it saw.

    Raises:
        TrainingError: a teacher is asked for and not given, or what is beside is no
            ``COLUMN=VALUE``.
        CollectionError: there is no such column.
    """
    if asked.teacher and teacher is None:
        raise TrainingError("the recipe learns of a teacher: give what it says with --teacher FILE")
    told = [_column(collection, one) for one in asked.beside]
    targets = [one.astype(np.float32)[:, None] for one, _ in told]
    known = [one[:, None] for _, one in told]
    names, numbers = asked.beside, 0
    if asked.teacher and teacher is not None:
        targets.append(_standard(teacher.logits))
        known.append(np.isfinite(teacher.logits))
        names = (*names, *(f"teacher: {label}" for label in teacher.labels))
        numbers = len(teacher.labels)
    if not names:
        return None
    return Taught(names, np.concatenate(targets, 1), np.concatenate(known, 1), numbers)


def _column(collection: Collection, one: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether it is so, and whether that is known."""
    if one == NOTHING_FOUND:
        return without_findings(collection), np.ones(len(collection), bool)
    column, equals, value = one.partition("=")
    if not equals:
        raise TrainingError(f"targets.beside: {one!r} is not COLUMN=VALUE, nor {NOTHING_FOUND!r}")
    told = collection.attribute(column)
    return told == value, told != ""


def _standard(logits: NDArray[np.float64]) -> NDArray[np.float32]:
    mean, deviation = np.nanmean(logits, axis=0), np.nanstd(logits, axis=0)
    found = (logits - mean) / np.maximum(deviation, _LEAST_DEVIATION)
    return np.asarray(np.nan_to_num(found), np.float32)
