"""Small pictures of images, to be put into a page."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from evaluation.collection import Collection, CollectionError
from evaluation.systems.embedding import Progress, quiet
from evaluation.systems.images import read_picture

SIDE = 160
"""Pixels of the longer side, at most."""
QUALITY = 90
"""Of JPEG: a third of what PNG takes, in a page that holds hundreds; nothing is measured in it."""


@dataclass(frozen=True)
class Thumbnail:
    """A picture, or why there is none.

    Attributes:
        uri: JPEG as a data URI; empty where there is no picture.
        width: in pixels.
        height: in pixels.
        fault: why there is none, with the file's name.
    """

    uri: str = ""
    width: int = SIDE
    height: int = SIDE
    fault: str = ""


def thumbnails(
    collection: Collection, images: Iterable[int], progress: Progress = quiet
) -> Mapping[int, Thumbnail]:
    """Pictures by the images' places; a file that cannot be read is told, and stops nothing.

    Empty where the collection has no files.
    """
    if not collection.paths:
        return {}
    wanted = sorted(set(images))
    found = {}
    for done, at in enumerate(wanted, 1):
        found[at] = _thumbnail(collection, at)
        progress(done, len(wanted))
    return found


def _thumbnail(collection: Collection, at: int) -> Thumbnail:
    try:
        pixels = read_picture(collection.paths[at]).pixels
    except CollectionError as fault:
        return Thumbnail(fault=str(fault))
    grey = np.clip(np.nan_to_num(pixels), 0, 1) * 255
    picture = Image.fromarray(grey.round().astype(np.uint8))
    picture.thumbnail((SIDE, SIDE))
    return Thumbnail(_data_uri(picture), picture.width, picture.height)


def _data_uri(picture: Image.Image) -> str:
    file = BytesIO()
    picture.save(file, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
