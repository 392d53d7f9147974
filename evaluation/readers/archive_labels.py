"""Labels of images from words on studies, series and instances: the finest that is said counts."""

from array import array
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from evaluation.collection import UNCERTAIN, UNSAID, States
from evaluation.readers.fault import some
from storage.archive_images import SaidWord

STUDY, SERIES, INSTANCE = 0, 1, 2

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class LabelMatrix:
    """States of images by label, int8 of shape (images, labels).

    ``contradictions`` counts, by label, the studies, series and instances of which words differ.
    """

    names: tuple[str, ...]
    states: States
    contradictions: Mapping[str, int]

    def remarks(self, name: str) -> tuple[str, ...]:
        """The remark that words contradict each other; none where they do not."""
        if not self.contradictions:
            return ()
        told = some([f"{label} ({count} times)" for label, count in self.contradictions.items()])
        return (f"{name}: labels are uncertain where what is said differs: {told}",)


@dataclass(frozen=True)
class _Level:
    """Words on one level: whom each is of (by number), which label, and its value."""

    of_image: NDArray[np.int64]
    of: "array[int]" = field(default_factory=lambda: array("q"))
    label: "array[int]" = field(default_factory=lambda: array("q"))
    value: "array[int]" = field(default_factory=lambda: array("b"))

    def states(self, labels: int) -> tuple[States, NDArray[np.int64]]:
        """The state of each image and label, and how often each label's words differ."""
        size = int(self.of_image.max()) + 1
        least, most = np.full((size, labels), 2, np.int8), np.full((size, labels), UNSAID, np.int8)
        at = (np.asarray(self.of, np.int64), np.asarray(self.label, np.int64))
        value = np.asarray(self.value, np.int8)
        np.minimum.at(least, at, value)
        np.maximum.at(most, at, value)
        differ = (most != UNSAID) & (least != most)
        most[differ] = UNCERTAIN
        return most[self.of_image], differ.sum(axis=0)


def label_matrix(
    study_ids: NDArray[np.int64],
    series: Sequence[str],
    instances: Sequence[str],
    said: Iterable[Sequence[SaidWord]],
) -> LabelMatrix:
    """The labels of images, by name: an image's own word, else its series', else its study's.

    Words of one level that differ, of two sources, make the label UNCERTAIN. Words on what has no
    image here are passed over.

    Args:
        study_ids: of the images, shape (images,).
        series, instances: their UIDs, one for each image.
        said: the words, block by block.
    """
    studies, of_study = np.unique(study_ids, return_inverse=True)
    pairs, of_series = _numbered(list(zip(study_ids.tolist(), series, strict=True)))
    uids, of_instance = _numbered(instances)
    known = {int(study): at for at, study in enumerate(studies)}
    levels = (_Level(of_study.astype(np.int64)), _Level(of_series), _Level(of_instance))
    columns: dict[str, int] = {}
    for block in said:
        for word in block:
            if word.sop_instance_uid:
                level, of = levels[INSTANCE], uids.get(word.sop_instance_uid)
            elif word.series_instance_uid:
                level, of = levels[SERIES], pairs.get((word.study_id, word.series_instance_uid))
            else:
                level, of = levels[STUDY], known.get(word.study_id)
            if of is not None:
                level.of.append(of)
                level.label.append(columns.setdefault(word.name, len(columns)))
                level.value.append(word.value)
    return _together(levels, columns, len(study_ids))


def _numbered(keys: Sequence[Key]) -> tuple[dict[Key, int], NDArray[np.int64]]:
    numbers: dict[Key, int] = {}
    of_image = [numbers.setdefault(key, len(numbers)) for key in keys]
    return numbers, np.array(of_image, np.int64)


def _together(levels: Iterable[_Level], columns: Mapping[str, int], images: int) -> LabelMatrix:
    names = sorted(columns)
    order = [columns[name] for name in names]
    states = np.full((images, len(names)), UNSAID, np.int8)
    differ = np.zeros(len(names), np.int64)
    for level in levels:
        if level.of:
            found, count = level.states(len(names))
            states = np.where(found == UNSAID, states, found)
            differ += count
    contradictions = {name: int(differ[columns[name]]) for name in names}
    return LabelMatrix(
        tuple(names),
        states[:, order],
        {name: count for name, count in contradictions.items() if count},
    )
