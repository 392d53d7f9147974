"""Whether what came back is the image that was received once, where its bytes are not the same.

An archive that sends an instance in another way than it did before re-encodes its data set: other
transfer syntax, lengths of sequences, padding. The digest changes with that, the pixels must not.
"""

import io

import numpy as np
from PIL import Image

MOST_DIFFERENCE = 1.0
"""Of 255 levels, on average. Lossless re-encoding gives 0, and so does another way to average a
large image down but for roundings; neighbouring slices of a CT series differ by more."""


def same_picture(kept: bytes, made: bytes) -> bool:
    """Whether two pictures (``encoders.picture``) show the same image.

    Args:
        kept: the picture that stands with the vector of the image as it was received, a PNG.
        made: one made by the same rules of what came back.
    """
    first, second = _levels(kept), _levels(made)
    if first.shape != second.shape:
        return False
    return bool(np.abs(first - second).mean() <= MOST_DIFFERENCE)


def _levels(picture: bytes) -> "np.ndarray[tuple[int, ...], np.dtype[np.int16]]":
    with Image.open(io.BytesIO(picture), formats=["PNG"]) as image:
        return np.asarray(image, np.int16)
