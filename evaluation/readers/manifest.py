"""A set of one's own: one row of a CSV file for each image.

Two layouts are read. The plain one has ``file`` (in the manifest's folder or below it),
``patient_id`` and ``labels`` (separated by ``|``). That of Denner et al. has ``filepath``,
``dataset``, ``split``, ``modality``, ``anatomic_region``, and one column of 1, 0, -1 or nothing for
each label, named as ``XR/chest/Atelectasis``; to it, too, ``patient_id`` belongs, or no patient can
be kept from finding himself. In both, ``split``, ``study``, ``sex`` and ``age`` are understood, and
every further column is an attribute. ``No Finding`` says that no label is there; an empty cell of
labels says nothing.
"""

from functools import partial
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
from evaluation.readers.images import Images, if_there, with_images
from evaluation.readers.labels import names_in, split_labels, states_named
from evaluation.readers.remarks import lone_images, remarked
from evaluation.readers.table import Table, first_cells, read_table

TABLE = "manifest.csv"
REQUIRED = ("file", "patient_id", "labels")
"""The columns of the plain layout."""
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
        ReaderError: the manifest, a column or an image is missing, a cell is faulty, an image
            stands twice, or, in the plain layout, lies outside the manifest's folder.
    """
    path = _manifest(place)
    if not path.is_file():
        raise ReaderError(f"there is no manifest {path}, a CSV file with {', '.join(REQUIRED)}")
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
    table = read_table(path, *REQUIRED)
    labels = table.parsed("labels", split_labels)
    names = names_in(labels)
    states = states_named(labels, names, nothing=UNSAID)
    files = table.parsed("file", partial(_below, path.parent))
    found = _collection(
        table, "file", names, states, [name for name in table.header if name not in REQUIRED]
    )
    return with_images(found, images, path.parent, lambda: if_there(files))


def _below(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r} lies outside the manifest's folder; put it there, or below")
    return path


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
    attributes = {
        name: texts(table.parsed(name, sex_of if name == "sex" else text_of))
        for name in further
        if name and name not in _UNDERSTOOD
    }
    bands, ages = _ages(table)
    found = Collection(
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
    return found if table.has("patient_id") else remarked(found, lone_images(str(table.path)))


def _ages(table: Table) -> tuple[dict[str, Texts], dict[str, NDArray[np.float64]]]:
    if not table.has("age"):
        return {}, {}
    ages = table.parsed("age", age_of)
    return {"age_band": age_bands(ages)}, {"age": numbers(ages)}
