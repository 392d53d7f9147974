"""Vectors that were computed already, with or without what is known of their images.

A CSV file, plain or gzipped, has an id (``id``, ``Image Index``, ``file`` or
``sop_instance_uid``), ``patient_id``, ``labels`` separated by ``|``, and one column for each
number of the vector, named ``prob_Atelectasis`` and so on; ``view``, ``sex``, ``age``, ``split``,
``study`` and further attributes where they are. An npz file has ``ids`` and ``vectors``, and
``patients`` and ``labels`` where it stands alone; without them it goes with a collection.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders.precomputed import DAMAGE
from evaluation.collection import UNSAID, Collection, Texts
from evaluation.readers.cells import (
    age_bands,
    age_of,
    number_of,
    numbers,
    sex_of,
    split_of,
    text_of,
    texts,
)
from evaluation.readers.fault import ReaderError, some
from evaluation.readers.images import Images
from evaluation.readers.labels import names_in, split_labels, states_named
from evaluation.readers.table import Table, first_cells, read_table

Vectors = NDArray[np.float32]

PREFIX = "prob_"
IDS = ("id", "Image Index", "file", "sop_instance_uid")
_GREATEST = float(np.finfo(np.float32).max)
_NO_ATTRIBUTES = frozenset({*IDS, "patient_id", "labels", "age", "split", "study"})


def read(place: Path, *, images: Images = Images.NONE) -> Collection:
    """What is known of the images of a file of vectors; the file names no image files.

    Raises:
        ReaderError: as for `read_vectors`, or images are asked for.
    """
    if images is not Images.NONE:
        raise ReaderError(f"{place} holds vectors; read it without images")
    return read_vectors(place)[0]


def read_vectors(place: Path) -> tuple[Collection, Vectors]:
    """A collection, and its vectors, float32, shape (images, dimension).

    ``No Finding`` is no label: with it, all labels are NEGATIVE; without any, UNSAID.

    Raises:
        ReaderError: the file, a column or an array is missing, an id stands twice, or a cell is
            faulty: numbers must be finite.
    """
    if place.suffix == ".npz":
        return _of_arrays(place)
    table = read_table(place, "patient_id", "labels")
    return _collection(table), _numbers(table)


def vectors_for(collection: Collection, path: Path) -> Vectors:
    """The vectors of a collection's images, from a file that may hold more; in its order.

    Raises:
        ReaderError: the file is missing or faulty, or holds no vector for an image.
    """
    if path.suffix == ".npz":
        arrays = _arrays(path)
        ids, vectors = arrays["ids"].tolist(), arrays["vectors"]
    else:
        table = read_table(path)
        ids, vectors = table.unique(table.either(*IDS)), _numbers(table)
    row_of = {one: row for row, one in enumerate(ids)}
    without = [one for one in collection.ids if one not in row_of]
    if without:
        raise ReaderError(
            f"{path} has no vector for {len(without)} images of {collection.name}: "
            f"{some(without)}; compute them, or read the images that have one"
        )
    return np.ascontiguousarray(vectors[[row_of[one] for one in collection.ids]], np.float32)


def recognises(place: Path) -> bool:
    """Whether it is a file of vectors."""
    if place.suffix == ".npz":
        return place.is_file()
    header = first_cells(place)
    return "patient_id" in header and any(name.startswith(PREFIX) for name in header)


def _collection(table: Table) -> Collection:
    labels = table.parsed("labels", split_labels)
    names = names_in(labels)
    attributes = {
        name: texts(table.parsed(name, sex_of if name == "sex" else text_of))
        for name in table.header
        if name and name not in _NO_ATTRIBUTES and not name.startswith(PREFIX)
    }
    ages = table.parsed("age", age_of) if table.has("age") else []
    return Collection(
        name=table.path.name.partition(".")[0],
        ids=table.unique(table.either(*IDS)),
        patients=table.filled("patient_id"),
        label_names=names,
        states=states_named(labels, names, nothing=UNSAID),
        attributes=attributes | ({"age_band": age_bands(ages)} if ages else {}),
        numbers={"age": numbers(ages)} if ages else {},
        splits=tuple(table.parsed("split", split_of)) if table.has("split") else (),
        studies=tuple(table.column("study")) if table.has("study") else (),
    )


def _numbers(table: Table) -> Vectors:
    names = [name for name in table.header if name.startswith(PREFIX)]
    if not names:
        raise ReaderError(f"{table.path} has no column named {PREFIX}...; these are the vectors")
    return np.array([table.parsed(name, _number) for name in names], np.float32).T.copy()


def _number(cell: str) -> float:
    found = number_of(cell)
    if not abs(found) <= _GREATEST:
        raise ValueError(f"{cell!r} is no finite number; compute this image's vector again")
    return found


def _of_arrays(path: Path) -> tuple[Collection, Vectors]:
    arrays = _arrays(path)
    missing = [name for name in ("patients", "labels") if name not in arrays]
    if missing:
        raise ReaderError(
            f"{path} has no array {', '.join(missing)}; read it for a collection that tells them"
        )
    labels = [split_labels(str(cell)) for cell in arrays["labels"].tolist()]
    names = names_in(labels)
    known: dict[str, Texts] = {
        name: array.astype(np.str_)
        for name, array in arrays.items()
        if name not in {"ids", "vectors", "patients", "labels"}
    }
    collection = Collection(
        name=path.stem,
        ids=tuple(arrays["ids"].tolist()),
        patients=tuple(arrays["patients"].tolist()),
        label_names=names,
        states=states_named(labels, names, nothing=UNSAID),
        attributes=known,
    )
    return collection, np.ascontiguousarray(arrays["vectors"], np.float32)


def _arrays(path: Path) -> Mapping[str, NDArray[np.generic]]:
    """The arrays, ids as text; pickled objects in the file are never opened."""
    if not path.is_file():
        raise ReaderError(f"there is no file {path}")
    try:
        # opened here, since numpy forgets to close a file that is none
        with path.open("rb") as file, np.load(file, allow_pickle=False) as packed:
            arrays = {name: np.asarray(packed[name]) for name in packed.files}
    except (OSError, *DAMAGE) as fault:
        raise ReaderError(f"{path} is no whole npz file without pickles: {fault}") from fault
    if "keys" in arrays and "ids" not in arrays:  # as the encoder `precomputed` reads them
        arrays["ids"] = arrays.pop("keys")
    for name in ("ids", "vectors"):
        if name not in arrays:
            raise ReaderError(f"{path} has no array {name!r}; it has {some(sorted(arrays))}")
    _check(path, arrays)
    return arrays


def _check(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    ids, vectors = arrays["ids"], arrays["vectors"]
    if ids.ndim != 1 or ids.dtype.kind != "U" or len(set(ids.tolist())) < len(ids):
        raise ReaderError(f"{path}: ids must be a list of texts, each once")
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or not vectors.size:
        raise ReaderError(
            f"{path}: vectors are {vectors.dtype} of shape {vectors.shape}, not floating point "
            "numbers of shape (images, dimension)"
        )
    uneven = [name for name, array in arrays.items() if len(array) != len(ids)]
    if uneven:
        raise ReaderError(f"{path}: {some(uneven)} have not one entry for each of {len(ids)} ids")
    lost = np.flatnonzero(~np.isfinite(vectors.astype(np.float64)).all(axis=1))
    if len(lost):
        raise ReaderError(f"{path}: vectors of {some(ids[lost].tolist())} are not finite")
