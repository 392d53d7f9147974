"""Resizing as scikit-image does it: Gaussian smoothing on the way down, then linear interpolation.

``skimage.transform.resize(image, shape, mode="constant")``, its documentation: the standard
deviation is (factor - 1) / 2 old pixels, none on the way up; beyond the image stands one value;
the answer stays between the image's least and greatest value.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

REACH = 4.0  # standard deviations; scipy.ndimage.gaussian_filter ends its kernel there

Image = NDArray[np.float32]


def central_square(image: Image) -> Image:
    """The middle of the longer side, as torchxrayvision's ``XRayCenterCrop`` takes it."""
    rows, columns = image.shape
    side = min(rows, columns)
    top, left = rows // 2 - side // 2, columns // 2 - side // 2
    return image[top : top + side, left : left + side]


def resize(image: Image, rows: int, columns: int, beyond: float) -> Image:
    """Return the image as float32, shape (rows, columns).

    Args:
        image: float32, shape (old rows, old columns).
        rows: of the answer, pixels.
        columns: of the answer, pixels.
        beyond: the value outside the image.
    """
    high, wide = image.shape
    narrow = smoothing_matrix(high, rows) @ (image - np.float32(beyond))
    both = smoothing_matrix(wide, columns) @ np.ascontiguousarray(narrow.T)
    found = np.ascontiguousarray(both.T) + np.float32(beyond)
    return np.asarray(np.clip(found, image.min(), image.max()), dtype=np.float32)


@lru_cache(maxsize=64)
def smoothing_matrix(length: int, size: int) -> sparse.csr_matrix:
    """Return the (size, length) float32 matrix that resizes a line with zeros beyond its ends."""
    return sparse.csr_matrix(_linear(length, size) @ _gaussian(length, size), dtype=np.float32)


def _gaussian(length: int, size: int) -> sparse.csr_matrix:
    deviation = max(0.0, (length / size - 1) / 2)
    reach = int(REACH * deviation + 0.5)
    if reach == 0:
        return sparse.identity(length, format="csr")
    steps = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (steps / deviation) ** 2)
    return sparse.diags(weights / weights.sum(), steps, shape=(length, length), format="csr")


def _linear(length: int, size: int) -> sparse.csr_matrix:
    centre = (np.arange(size) + 0.5) * length / size - 0.5
    first = np.floor(centre).astype(np.int64)
    columns = np.concatenate([first, first + 1])
    weights = np.concatenate([first + 1 - centre, centre - first])
    inside = (columns >= 0) & (columns < length)
    rows = np.tile(np.arange(size), 2)[inside]
    return sparse.csr_matrix((weights[inside], (rows, columns[inside])), shape=(size, length))
