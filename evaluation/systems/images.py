"""Image files of collections: DICOM by the standard's pipeline, pictures as they are."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from encoders.deflated import read_header
from encoders.elements import READ_ERRORS
from encoders.grayscale import read_image
from encoders.image import GrayscaleImage, PixelError
from evaluation.collection import CollectionError

_PREAMBLE = 128


def read_picture(path: Path) -> GrayscaleImage:
    """One image file as every encoder sees it; colour becomes luminance, 16 bits their full range.

    Raises:
        CollectionError: it is not there or cannot be read; the message names it.
    """
    try:
        if _is_dicom(path):
            return read_image(path)
        with Image.open(path) as picture:
            return GrayscaleImage(_grey(picture))
    except PixelError as fault:
        raise CollectionError(f"{path}: {fault}") from fault
    except UnidentifiedImageError as fault:
        raise CollectionError(f"{path} is neither DICOM nor a picture that can be read") from fault
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as fault:
        raise CollectionError(f"{path} cannot be read: {fault}") from fault


def size_of(path: Path) -> tuple[int, int]:
    """Rows and columns of an image file, without its pixels.

    Raises:
        CollectionError: it is not there or cannot be read.
    """
    try:
        if _is_dicom(path):
            header = read_header(path)
            return int(header.Rows), int(header.Columns)
        with Image.open(path) as picture:
            return picture.height, picture.width
    except (*READ_ERRORS, AttributeError, Image.DecompressionBombError) as fault:
        raise CollectionError(f"{path} cannot be read: {fault}") from fault


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(_PREAMBLE + 4)[_PREAMBLE:] == b"DICM"


def _grey(picture: Image.Image) -> NDArray[np.float32]:
    """Float32 in [0, 1], shape (rows, columns)."""
    if picture.mode.startswith("I;16"):
        return np.asarray(np.asarray(picture, np.float32) / 65535, np.float32)
    if picture.mode in {"I", "F"}:  # of 16 bits too, where the file does not say how many
        values = np.asarray(picture, np.float32)
        return np.asarray(np.clip(values / 65535, 0, 1), np.float32)
    return np.asarray(np.asarray(picture.convert("L"), np.float32) / 255, np.float32)
