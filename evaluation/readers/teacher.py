"""What another network says of a collection's images, for one that is to learn it.

A CSV file, gzipped or not: the first column names the image, columns that begin with ``prob_``
hold probabilities of labels.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.collection import Collection
from evaluation.readers.fault import ReaderError
from evaluation.readers.table import read_table

PREFIX = "prob_"
LEAST = 1e-5
"""Probabilities are taken as no nearer to 0 or 1."""


@dataclass(frozen=True)
class Teacher:
    """Log odds of labels.

    Attributes:
        labels: their names.
        logits: float64, shape (images, labels); NaN of images that it did not see.
    """

    labels: tuple[str, ...]
    logits: NDArray[np.float64]


def read_teacher(path: Path, collection: Collection) -> Teacher:
    """What it says of the images that it saw.

    An image is meant where its id is the name in the file, or ends in it behind ``/``, ``-`` or
    ``_``.

    Raises:
        ReaderError: the file has no such columns, a probability is none, an image stands twice, or
            none of the collection's is there.
    """
    table = read_table(path)
    labels = [name.removeprefix(PREFIX) for name in table.header if name.startswith(PREFIX)]
    if not labels:
        raise ReaderError(f"{path} has no column of probabilities ({PREFIX}LABEL)")
    images = table.unique(table.header[0])
    said = np.array([table.parsed(PREFIX + label, _log_odds) for label in labels]).T
    rows = {image: at for at, image in enumerate(images)}
    logits = np.full((len(collection), len(labels)), np.nan)
    for at, one in enumerate(collection.ids):
        row = _row(rows, one)
        if row is not None:
            logits[at] = said[row]
    if not np.isfinite(logits).any():
        raise ReaderError(f"{path} names none of the {len(collection)} images of {collection.name}")
    return Teacher(tuple(labels), logits)


def _row(rows: dict[str, int], one: str) -> int | None:
    """Where the longest ending of an image's id stands that is a name."""
    starts = [0, *(at + 1 for at, letter in enumerate(one) if letter in "/-_")]
    return next((rows[one[at:]] for at in starts if one[at:] in rows), None)


def _log_odds(cell: str) -> float:
    value = float(cell)
    if not 0 <= value <= 1:
        raise ValueError(f"{cell!r} is no probability")
    kept = min(max(value, LEAST), 1 - LEAST)
    return math.log(kept / (1 - kept))
