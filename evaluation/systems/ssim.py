"""Structural similarity (Wang et al. 2004) of images by pairs, as paper 3 ranks by it.

As scikit-image computes it by default: windows of 7 x 7 pixels of equal weight, the sample's
covariance (n - 1), K1 = 0.01 and K2 = 0.03, and the mean over the windows that lie inside the
image. It is no distance of vectors, so that no index can search by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from encoders.descriptor_resize import resize
from evaluation.collection import Collection, CollectionError, Positions
from evaluation.relevance import Values
from evaluation.systems.embedding import Progress, quiet
from evaluation.systems.images import read_picture

WINDOW = 7
"""Pixels, of a side."""
SIDE = 224
"""Pixels, to which paper 3 brings images; the aspect is not kept."""
K1, K2 = 0.01, 0.03
_EDGE = WINDOW // 2
_SAMPLE = WINDOW**2 / (WINDOW**2 - 1)

Grey = NDArray[np.floating]


@dataclass(frozen=True)
class Structure:
    """What an image brings to each pair.

    Attributes:
        pixels: shape (rows, columns).
        means: of each window that lies inside, shape (rows - 6, columns - 6).
        variances: of each window.
    """

    pixels: Values
    means: Values
    variances: Values

    @classmethod
    def of(cls, image: Grey) -> "Structure":
        """An image's.

        Raises:
            ValueError: it is no image, or smaller than a window.
        """
        if image.ndim != 2 or min(image.shape) < WINDOW:
            raise ValueError(f"an image of {WINDOW} x {WINDOW} at least, not of {image.shape}")
        pixels = image.astype(np.float64)
        means = _windows(pixels)
        return cls(pixels, means, _SAMPLE * (_windows(pixels**2) - means**2))

    def similarity(self, other: "Structure", data_range: float = 1.0) -> float:
        """The mean structural similarity of two images of the same shape, 1 where they are equal.

        Raises:
            ValueError: they have other shapes.
        """
        if self.pixels.shape != other.pixels.shape:
            raise ValueError(f"shapes {self.pixels.shape} and {other.pixels.shape} differ")
        both = self.means * other.means
        covariances = _SAMPLE * (_windows(self.pixels * other.pixels) - both)
        c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
        likeness = (2 * both + c1) * (2 * covariances + c2)
        most = (self.means**2 + other.means**2 + c1) * (self.variances + other.variances + c2)
        return float((likeness / most).mean())


def ssim(first: Grey, second: Grey, data_range: float = 1.0) -> float:
    """The structural similarity of two images.

    Args:
        first: shape (rows, columns), 7 x 7 at least.
        second: of the same shape.
        data_range: the greatest value that a pixel may have, less the least.

    Raises:
        ValueError: the shapes differ, or are smaller than a window.
    """
    return Structure.of(first).similarity(Structure.of(second), data_range)


@dataclass(frozen=True)
class Ssim:
    """Ranks images by their structural similarity; a `pairwise.Scorer`.

    Attributes:
        images: by their places in the collection; float32 in [0, 1], shape (SIDE, SIDE).
        name: for the tables.
    """

    images: Mapping[int, NDArray[np.float32]]
    name: str = "SSIM"

    def scores(self, query: int, others: Positions) -> Values:
        """The similarity of each of the others to the query; the greater, the more alike."""
        asks = Structure.of(self.images[query])
        found = (asks.similarity(Structure.of(self.images[at])) for at in others.tolist())
        return np.fromiter(found, np.float64, len(others))


def read_for_ssim(collection: Collection, some: Positions, progress: Progress = quiet) -> Ssim:
    """Image files as they are compared: grey, 224 x 224 pixels.

    Args:
        collection: of the images.
        some: those that are compared; others need not be read.
        progress: is told how many are read.

    Raises:
        CollectionError: the collection has no files, or one cannot be read.
    """
    if not collection.paths:
        raise CollectionError(f"SSIM compares pixels: {collection.name} has no image files")
    images = {}
    for count, at in enumerate(some.tolist(), start=1):
        images[at] = resize(read_picture(collection.paths[at]).pixels, SIDE)
        progress(count, len(some))
    return Ssim(images)


def _windows(values: Values) -> Values:
    """The mean of each window that lies inside."""
    inside = slice(_EDGE, -_EDGE)
    return np.asarray(uniform_filter(values, WINDOW)[inside, inside])
