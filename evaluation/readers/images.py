"""The image files of a data set: where they are, and what is done where they are not."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from evaluation.collection import Collection
from evaluation.readers.fault import ReaderError, some
from evaluation.readers.remarks import remarked


class Images(StrEnum):
    """Which image files must be there."""

    ALL = "all"
    """Each that the lists name."""
    PRESENT = "present"
    """Those that are not there are left out, and told: a part of the set was fetched."""
    NONE = "none"
    """Nobody looks: vectors have been computed already."""


def with_images(
    collection: Collection, images: Images, place: Path, find: Callable[[], Sequence[Path | None]]
) -> Collection:
    """The collection with its image files.

    Args:
        collection: as its lists have it.
        images: which must be there.
        place: where they are looked for, for messages.
        find: looks for each image: its file, or None where there is none. Not asked with NONE.

    Raises:
        ReaderError: an image file is missing, or with PRESENT all are.
    """
    if images is Images.NONE:
        return collection
    found = find()
    missing = [one for one, path in zip(collection.ids, found, strict=True) if path is None]
    if missing and (images is Images.ALL or len(missing) == len(collection)):
        raise ReaderError(
            f"{collection.name}: {len(missing)} of {len(collection)} image files are not in "
            f"{place}: {some(missing)}. Put them there, or read what is present, or read without "
            "images where vectors have been computed already"
        )
    if missing:
        there = np.flatnonzero([path is not None for path in found])
        collection = remarked(
            collection.take(there),
            f"{collection.name}: {len(missing)} of {len(collection)} image files are not in "
            f"{place} and are left out: {some(missing)}",
        )
    return replace(collection, paths=tuple(path for path in found if path is not None))


def if_there(paths: Iterable[Path]) -> list[Path | None]:
    """Each path, or None where there is no such file."""
    return [path if path.is_file() else None for path in paths]


def find_in(folders: Iterable[Path], names: Sequence[str]) -> list[Path | None]:
    """Where each file is: in the first of the folders that holds it, or None.

    Folders are listed once: to ask for a hundred thousand files one by one takes minutes on a
    network share.
    """
    where: dict[str, Path] = {}
    for folder in folders:
        if folder.is_dir():
            with os.scandir(folder) as entries:
                for entry in entries:
                    where.setdefault(entry.name, folder)
    return [where[name] / name if name in where else None for name in names]
