"""Labels of DICOM images from a CSV file that names studies, series or instances.

``study_instance_uid``, ``series_instance_uid``, ``sop_instance_uid`` (one of them at least),
``label`` and ``value`` (1, 0, -1). A row says its label of all images of what it names; where
several rows say the same label of an image, the one that names the least counts.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluation.collection import UNSAID, States
from evaluation.readers.cells import state_of
from evaluation.readers.fault import ReaderError, some
from evaluation.readers.table import Table, read_table

log = logging.getLogger(__name__)

LEVELS = ("study_instance_uid", "series_instance_uid", "sop_instance_uid")
Said = dict[str, dict[str, int]]
"""The states of labels, by UID and label."""


def read_labels(
    path: Path, images: Sequence[tuple[str, str, str]]
) -> tuple[tuple[str, ...], States]:
    """The labels' names, and the states of images, shape (images, labels); UNSAID by default.

    Args:
        path: of the file.
        images: study, series and SOP Instance UID of each.

    Raises:
        ReaderError: the file or a column is missing, a cell is faulty, two rows contradict each
            other, or no row names one of the images.
    """
    table = read_table(path, "label", "value")
    table.either(*LEVELS)
    said = _said(table)
    names = tuple(dict.fromkeys(table.filled("label")))
    states = np.full((len(images), len(names)), UNSAID, np.int8)
    for row, uids in enumerate(images):
        for uid in uids:  # the instance last, so that it overrules
            for name, state in said.get(uid, {}).items():
                states[row, names.index(name)] = state
    unknown = sorted(said.keys() - {uid for uids in images for uid in uids})
    if len(unknown) == len(said):
        raise ReaderError(f"{path} names none of the images, but {some(unknown)}")
    if unknown:
        log.warning("%s: %d UIDs are none of the images': %s", path, len(unknown), some(unknown))
    return names, states


def _said(table: Table) -> Said:
    levels = [table.column(level) for level in LEVELS if table.has(level)]
    labels, states = table.filled("label"), table.parsed("value", state_of)
    said: Said = {}
    for row, (label, state) in enumerate(zip(labels, states, strict=True)):
        uid = next((level[row] for level in reversed(levels) if level[row]), "")
        if not uid:
            raise table.fault(row, LEVELS[0], f"no UID; fill in one of {', '.join(LEVELS)}")
        if said.setdefault(uid, {}).setdefault(label, state) != state:
            raise table.fault(row, "value", f"an earlier row says otherwise of {label} of {uid}")
    return said
