"""The blocks of the weight-free descriptor: layout, edges, texture, intensity, surroundings.

Each takes a square float32 image with values in [0, 1] and gives a float32 vector of unit length,
or zeros where the image holds nothing of that kind (a constant image has no edges).
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.float32]
Vector = NDArray[np.float32]

CONTRAST_FLOOR = 2.0**-9  # half a grey level of 8 bits: what differs less is alike
CONTRAST_CEILING = 2.0**-1  # the steepest central difference there is
PATTERN_STEP = 1 / 250  # a grey level of 8 bits, so that quantisation noise makes no pattern
BLUR = 1.0  # Gaussian, pixels: detail of single pixels is what lossy coding drops first
TILES = 16  # a side; patterns are counted in tiles, and cells share the tiles
COUNT_POWER = 0.4  # of a joint histogram: flatter than a root, so that rare tissues are heard
EDGE_FLOOR = 0.02  # keeps the noise of empty regions from being scaled up to edges
SURROUNDINGS = 8.0  # Gaussian, pixels: an eighth of the image, in whose mean a pixel stands out


def grey_layout(image: Image) -> Vector:
    """Return the image itself less its mean: length size * size."""
    return unit((image - image.mean()).ravel())


def oriented_gradients(image: Image, cells: int, directions: int) -> Vector:
    """Return histograms of oriented gradients: length directions * cells * cells.

    After Dalal and Triggs, "Histograms of oriented gradients for human detection" (2005): signed
    directions, each pixel shared between two directions and four cells, each cell divided by the
    edge strength of its neighbourhood.
    """
    down, right = gradients(image)
    strength = np.hypot(down, right)
    position = np.arctan2(down, right) % (2 * np.pi) / (2 * np.pi) * directions
    # a direction's share falls linearly to nothing at its two neighbours on the circle
    away = np.abs(position - np.arange(directions)[:, None, None])
    shares = np.maximum(0, 1 - np.minimum(away, directions - away)) * strength
    tents = soft_cells(image.shape[0], cells)
    pooled = tents @ shares.astype(np.float32) @ tents.T * (cells / image.shape[0]) ** 2
    energy = ndimage.uniform_filter(np.sqrt(np.square(pooled).sum(axis=0)), 3, mode="nearest")
    return unit(np.sqrt(pooled / (energy + EDGE_FLOOR)).ravel())


def binary_patterns(image: Image, cells: int) -> Vector:
    """Return histograms of uniform local binary patterns: length 59 * cells * cells.

    After Ojala, Pietikainen and Maenpaa, "Multiresolution gray-scale and rotation invariant
    texture classification with local binary patterns" (2002): 8 neighbours, radius 1, of the image
    blurred. Each cell takes its share of the tiles around its centre, so that nothing jumps where
    two cells meet. The image has at least `TILES` pixels a side.
    """
    codes = pattern_codes(blurred(image, BLUR))
    tile = np.arange(codes.shape[0]) * TILES // codes.shape[0]
    place = (tile[:, None] * TILES + tile) * 59 + uniform_patterns()[codes]
    counts = np.bincount(place.ravel(), minlength=TILES * TILES * 59)
    planes = np.moveaxis(counts.reshape(TILES, TILES, 59), -1, 0)
    tents = soft_cells(TILES, cells)
    return unit(np.sqrt(tents @ planes @ tents.T).ravel())


def intensity_and_gradient(image: Image, levels: int, steps: int) -> Vector:
    """Return the joint histogram of intensity and log gradient strength: length levels * steps.

    Says which tissues an image holds and whether they are smooth or grainy, wherever they lie.
    Counts are raised to a power after Perronnin, Sanchez and Mensink, "Improving the Fisher kernel
    for large-scale image classification" (2010), lest the background outweigh all else.
    """
    strength = log_contrast(np.hypot(*gradients(image)))
    return unit(joint_histogram(image, strength, levels, steps) ** COUNT_POWER)


def intensity_and_surroundings(image: Image, levels: int, steps: int) -> Vector:
    """Return the joint histogram of intensity and log contrast: length levels * steps.

    Contrast is how much brighter a pixel is than the mean around it. Says what lies in what, a
    bright spot in the dark or in the bright, at a size that lossy coding keeps.
    """
    near = blurred(image, BLUR)
    brighter = near - blurred(image, SURROUNDINGS)
    contrast = (1 + np.sign(brighter) * log_contrast(np.abs(brighter))) / 2
    return unit(joint_histogram(near, contrast, levels, steps) ** COUNT_POWER)


def log_contrast(size: Image) -> Image:
    """Return the logarithm of a contrast's size, 0 at the floor and below, 1 at the ceiling."""
    steps = np.log2(np.clip(size, CONTRAST_FLOOR, CONTRAST_CEILING) / CONTRAST_FLOOR)
    return np.asarray(steps / np.log2(CONTRAST_CEILING / CONTRAST_FLOOR), dtype=np.float32)


def blurred(image: Image, width: float) -> Image:
    """Return the image under a Gaussian of ``width`` pixels, borders repeated."""
    return np.asarray(ndimage.gaussian_filter(image, width, mode="nearest"), dtype=np.float32)


def joint_histogram(first: Image, second: Image, levels: int, steps: int) -> NDArray[np.float64]:
    """Return how many pixels have which two values in [0, 1]: length levels * steps.

    Each pixel is shared between its two nearest levels and two nearest steps.
    """
    level, level_share = _bins(first, levels)
    step, step_share = _bins(second, steps)
    counts = np.zeros(levels * steps)
    for more, part in ((0, 1 - level_share), (1, level_share)):
        for further, share in ((0, 1 - step_share), (1, step_share)):
            cell = (level + more) * steps + step + further
            counts += np.bincount(cell, weights=part * share, minlength=counts.size)
    return counts


def gradients(image: Image) -> tuple[Image, Image]:
    """Return central differences per pixel along rows and along columns, borders repeated."""
    padded = np.pad(image, 1, mode="edge")
    down = np.float32(0.5) * (padded[2:, 1:-1] - padded[:-2, 1:-1])
    right = np.float32(0.5) * (padded[1:-1, 2:] - padded[1:-1, :-2])
    return down, right


def pattern_codes(image: Image) -> NDArray[np.uint8]:
    """Return per pixel one bit for each of 8 neighbours, clockwise: is it clearly brighter?"""
    rows, columns = image.shape
    padded = np.pad(image, 1, mode="edge")
    threshold = image + np.float32(PATTERN_STEP)
    codes = np.zeros(image.shape, dtype=np.uint8)
    circle = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    for bit, (row, column) in enumerate(circle):
        brighter = padded[row : row + rows, column : column + columns] >= threshold
        codes |= brighter.astype(np.uint8) << np.uint8(bit)
    return codes


@lru_cache(maxsize=1)
def uniform_patterns() -> NDArray[np.int64]:
    """Return the bin (0..58) of each code (0..255): those with over two changes share the last."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    changes = (bits != np.roll(bits, 1, axis=1)).sum(axis=1)
    uniform = changes <= 2
    return np.where(uniform, np.cumsum(uniform) - 1, 58)


@lru_cache(maxsize=8)
def soft_cells(size: int, cells: int) -> NDArray[np.float32]:
    """Return the (cells, size) matrix that shares each pixel linearly between cell centres.

    Soft borders keep a shift by a pixel from moving an edge into another cell at one stroke.
    """
    position = (np.arange(size) + 0.5) / size * cells - 0.5
    away = np.abs(position - np.arange(cells)[:, None])
    return np.asarray(np.maximum(0, 1 - away), dtype=np.float32)


def unit(vector: NDArray[np.floating]) -> Vector:
    """Return the vector divided by its length; zeros stay zeros."""
    length = float(np.linalg.norm(vector))
    return (vector / length if length > 0 else vector).astype(np.float32)


def _bins(values: Image, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return for each value in [0, 1] the lower of its two bins and the upper one's share."""
    position = np.clip(values.ravel().astype(np.float64), 0, 1) * (count - 1)
    lower = np.minimum(position.astype(np.int64), count - 2)
    return lower, position - lower
