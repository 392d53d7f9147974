"""A set of one's own: one row of a CSV file for each image.

Two layouts are read. The plain one has ``file``, ``patient_id`` and ``labels`` (separated by
``|``), as `evaluation.readers.manifest_file` has it. That of Denner et al. has ``filepath``,
``dataset``, ``split``, ``modality``, ``anatomic_region``, and one column of 1, 0, -1 or nothing for
each label, named as ``XR/chest/Atelectasis``; to it, too, ``patient_id`` belongs, or no patient can
be kept from finding himself. In both, ``split``, ``study``, ``sex`` and ``age`` are understood, and
every further column is an attribute. ``No Finding`` says that no label is there; an empty cell of
labels says nothing.
"""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.collection import UNSAID, Collection, States, Texts
from evaluation.readers.cells import (
    age_bands,
    age_of,
    numbers,
    sex_of,
    split_of,
    state_of,
    text_of,
    texts,
)
from evaluation.readers.fault import ReaderError
from evaluation.readers.images import Images, if_there, tell_of_lone_images, with_images
from evaluation.readers.labels import names_in, states_named
from evaluation.readers.manifest_file import REQUIRED, ManifestError, read_manifest
from evaluation.readers.table import Table, first_cells, read_table

TABLE = "manifest.csv"
ONE_HOT = ("filepath", "dataset", "split", "modality", "anatomic_region")
"""The columns before the labels, in Denner et al.'s layout."""
_UNDERSTOOD = frozenset({"split", "study", "age"})


def read(place: Path, *, images: Images = Images.ALL, root: Path | None = None) -> Collection:
    """The images of a manifest, by their files' names.

    Args:
        place: the manifest, or the folder of a ``manifest.csv``.
        images: which image files must be there.
        root: what files are relative to, in Denner et al.'s layout; the manifest's folder where
            None.

    Raises:
        ReaderError: the manifest, a column or an image is missing, a cell is faulty, or an image
            stands twice.
    """
    path = _manifest(place)
    if set(ONE_HOT) <= set(first_cells(path)):
        return _one_hot(path, images, root or path.parent)
    return _plain(path, images)


def recognises(place: Path) -> bool:
    """Whether it is a manifest, or a folder with one."""
    header = set(first_cells(_manifest(place)))
    return set(REQUIRED) <= header or set(ONE_HOT) <= header


def _manifest(place: Path) -> Path:
    return place / TABLE if place.is_dir() else place


def _plain(path: Path, images: Images) -> Collection:
    try:
        rows = read_manifest(path, look=False)
    except (ManifestError, UnicodeDecodeError, csv.Error, OSError) as fault:
        raise ReaderError(
            f"{path}: {fault}" if str(path) not in str(fault) else str(fault)
        ) from fault
    if not rows:
        raise ReaderError(f"{path} holds a header and no rows")
    table = Table(
        path,
        tuple(rows[0].columns),
        [tuple(row.columns.values()) for row in rows],
        [row.line for row in rows],
    )
    labels = [row.labels for row in rows]
    names = names_in(labels)
    states = states_named(labels, names, nothing=UNSAID)
    found = _collection(
        table, "file", names, states, [name for name in table.header if name not in REQUIRED]
    )
    return with_images(found, images, path.parent, lambda: if_there(row.path for row in rows))


def _one_hot(path: Path, images: Images, root: Path) -> Collection:
    table = read_table(path)
    names = tuple(name for name in table.header if "/" in name)
    states = np.array([table.parsed(name, state_of) for name in names], np.int8)
    kept = {"filepath", "patient_id", *names}
    found = _collection(
        table,
        "filepath",
        names,
        states.reshape(len(names), len(table)).T,
        [name for name in table.header if name not in kept],
    )
    return with_images(found, images, root, lambda: if_there(root / one for one in found.ids))


def _collection(
    table: Table, file: str, names: tuple[str, ...], states: States, further: list[str]
) -> Collection:
    ids = table.unique(file)
    if not table.has("patient_id"):
        tell_of_lone_images(str(table.path))
    attributes = {
        name: texts(table.parsed(name, sex_of if name == "sex" else text_of))
        for name in further
        if name and name not in _UNDERSTOOD
    }
    bands, ages = _ages(table)
    return Collection(
        name=table.path.parent.name if table.path.name == TABLE else table.path.stem,
        ids=ids,
        patients=table.filled("patient_id") if table.has("patient_id") else ids,
        label_names=names,
        states=states,
        attributes=attributes | bands,
        numbers=ages,
        splits=tuple(table.parsed("split", split_of)) if table.has("split") else (),
        studies=tuple(table.column("study")) if table.has("study") else (),
    )


def _ages(table: Table) -> tuple[dict[str, Texts], dict[str, NDArray[np.float64]]]:
    if not table.has("age"):
        return {}, {}
    ages = table.parsed("age", age_of)
    return {"age_band": age_bands(ages)}, {"age": numbers(ages)}
