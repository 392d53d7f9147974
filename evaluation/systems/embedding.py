"""Vectors of a collection's images: made once, kept in a folder, gone on with after a stop."""

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.checked import CheckedEncoder
from encoders.encoder import EncoderError, Prepared
from encoders.image import GrayscaleImage
from encoders.space import Space
from evaluation.collection import Collection, CollectionError
from evaluation.systems.images import read_picture

Vectors = NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Is told how many are done, of how many."""
READERS = 4
"""Threads that read and prepare: decoders let go of the interpreter's lock."""


def quiet(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


def embed(
    collection: Collection, encoder: CheckedEncoder, folder: Path, progress: Progress = quiet
) -> Vectors:
    """The vectors of all images, float32, shape (images, dimension).

    They are kept in ``folder`` by the space and by each file's name, size and time: what is there
    is not made again, and an evaluation that was stopped goes on where it was.

    Raises:
        CollectionError: the collection has no files, or one cannot be read or embedded.
        OSError: the folder cannot be written.
    """
    if not collection.paths:
        raise CollectionError(f"{collection.name} has no image files to embed")
    kept = _kept(collection, encoder.space, folder)
    total = len(collection)
    to_do = np.flatnonzero(np.isnan(kept).any(axis=1)).tolist()
    done = total - len(to_do)
    progress(done, total)
    with ThreadPoolExecutor(READERS) as pool:
        for rows in _batched(to_do, encoder.batch):
            prepared = list(pool.map(lambda at: _prepared(collection, encoder, at), rows))
            try:
                kept[rows] = encoder.infer(prepared)
            except EncoderError as fault:
                raise CollectionError(f"{collection.name}: {fault}") from fault
            kept.flush()
            done += len(rows)
            progress(done, total)
    return np.array(kept)


def _prepared(collection: Collection, encoder: CheckedEncoder, at: int) -> Prepared:
    path = collection.paths[at]
    image = read_picture(path)
    seen = GrayscaleImage(
        image.pixels,
        image.rules,
        collection.ids[at],
        modality=_told(collection, "modality", at),
        body_part=_told(collection, "body_part", at),
        boxes=None if collection.boxes is None else collection.boxes[at],
    )
    try:
        return encoder.prepare(seen)
    except EncoderError as fault:
        raise CollectionError(f"{path}: {fault}") from fault


def _told(collection: Collection, attribute: str, at: int) -> str:
    column = collection.attributes.get(attribute)
    return "" if column is None else column[at]


def _batched(rows: list[int], size: int) -> Iterator[list[int]]:
    left = iter(rows)
    while some := list(islice(left, size)):
        yield some


def _kept(collection: Collection, space: Space, folder: Path) -> "np.memmap[Any, Any]":
    """The vectors of this space and these files, mapped; rows that are not made hold NaN.

    A file of another shape, or one that is damaged, is made anew.
    """
    told = [
        (one, *_stamp(path)) for one, path in zip(collection.ids, collection.paths, strict=True)
    ]
    drawn = b"" if collection.boxes is None else collection.boxes.tobytes()
    digest = hashlib.sha256(json.dumps(told).encode() + drawn).hexdigest()[:16]
    file = folder / "vectors" / f"{space.id}-{digest}.npy"
    file.parent.mkdir(parents=True, exist_ok=True)
    shape = (len(collection), space.dimension)
    if file.exists():
        found = _opened(file)
        if found is not None and found.shape == shape and found.dtype == np.float32:
            return found
    made = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)
    made[:] = np.nan
    return made


def _opened(file: Path) -> "np.memmap[Any, Any] | None":
    try:
        return np.lib.format.open_memmap(file, mode="r+")
    except (ValueError, EOFError, SyntaxError):
        return None


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        stat = path.stat()
    except OSError as fault:
        raise CollectionError(f"{path} cannot be read: {fault.strerror}") from fault
    return str(path.resolve()), stat.st_size, stat.st_mtime_ns
