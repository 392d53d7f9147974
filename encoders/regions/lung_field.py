"""Where the lungs are on a frontal chest radiograph, estimated without any training.

A shape of two dark lungs among brighter zones (`lung_shape`) is laid over the image wherever lungs
may be, and the best one is then moved edge by edge until no move betters it. It needs no lung to be
healthy, only that most of both are darker than what is around them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from encoders.descriptor_resize import resize
from encoders.regions.lung_shape import (
    ABOVE,
    BETWEEN,
    LEFT,
    LEFT_BOTTOM,
    LEFT_WIDTH,
    MIDDLE,
    RIGHT,
    RIGHT_BOTTOM,
    RIGHT_WIDTH,
    TOP,
    Floats,
    Shapes,
    zones,
)

SIDE, COARSE_SIDE = 48, 24
STARTS = 3
STEPS = (0.04, 0.02, 0.01, 0.005)
WEIGHTS = (1.2, 1.0, 1.0, 0.9, 0.9, 0.7)
"""Of the brighter zones, from BETWEEN to ABOVE."""
AREA_POWER = 0.35
"""How much more is counted for lungs that are larger: without it the darkest spot would win."""
UNLIKE = 0.5
"""What is taken off for each unit by which the lungs' widths and bases differ."""
FLOOR = 0.01
"""Of the variance of levels (ranks from 0 to 1) within zones."""
EXACT = 1024
"""Levels and their squares are rounded to its inverse: their sums are then exact in single
precision, so that no library and no number of threads changes the answer."""
LOWEST = (0.2, 0.12, 0.12, -0.02, 0.2, 0.2)
HIGHEST = (0.8, 0.55, 0.55, 0.45, 1.15, 1.15)
LEAST_HEIGHT = 0.2

_MOVES = np.concatenate(
    [
        np.eye(6),
        [[0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1]],
    ]
)
"""Each number alone; both widths, both bases, and the whole downward."""
LEAST_CONTRAST = 1.1
"""Below it there may be no lungs. Of 250 radiographs that this was tried on 21 are below it (white
lungs, mostly), of 100 inverted ones 96, of 30 images of noise 29."""
LEAST_AREA, GREATEST_AREA = 0.03, 0.48
"""Of one lung's box, as parts of the image's."""
GREATEST_RATIO = 2.0
"""Of one lung's width or height to the other's."""
MIDDLE_BETWEEN = (0.25, 0.75)

Box = tuple[float, float, float, float]
"""Left, top, width, height as parts of the image's width and height."""
Shape = NDArray[np.float64]
"""Six numbers, as `lung_shape` has them."""
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class LungField:
    """An estimate.

    Attributes:
        right, left: boxes around the patient's lungs, inside the image.
        middle: where the midline is, as a part of the image's width.
        contrast: how much brighter the zones around the lungs are than these, in standard
            deviations of levels within zones; 0 for an even image, about 2 for most chests.
    """

    right: Box
    left: Box
    middle: float
    contrast: float


def lung_field(pixels: Floats) -> LungField:
    """The best estimate, good or bad; `fault` says whether it can be believed.

    Args:
        pixels: gray levels of any range, white above black, shape (rows, columns), at least 1 x 1.
    """
    levels = _levels(pixels)
    coarse = levels.reshape(COARSE_SIDE, SIDE // COARSE_SIDE, COARSE_SIDE, -1).mean(axis=(1, 3))
    shapes = _everywhere()
    starts = np.argsort(-_scores(_exact(coarse), shapes)[0], kind="stable")[:STARTS]
    moved = np.stack([_moved(levels, shapes[start]) for start in starts])
    best = moved[_scores(levels, moved)[0].argmax()]
    contrast = float(_scores(levels, best[None])[1][0])
    return _field(best, contrast)


def fault(field: LungField) -> str:
    """Why an estimate is not believed, in words of one rule; empty where it is."""
    areas = [box[2] * box[3] for box in (field.right, field.left)]
    widths, heights = ([field.right[at], field.left[at]] for at in (2, 3))
    if field.contrast < LEAST_CONTRAST:
        return "lungs do not stand out"
    if min(areas) < LEAST_AREA or max(areas) > GREATEST_AREA:
        return "area of a lung"
    if max(_ratio(widths), _ratio(heights)) > GREATEST_RATIO:
        return "lungs unlike each other"
    if field.right[0] + field.right[2] > field.left[0]:
        return "lungs overlap"
    if not MIDDLE_BETWEEN[0] <= field.middle <= MIDDLE_BETWEEN[1]:
        return "midline at the side"
    return ""


def _ratio(two: list[float]) -> float:
    return max(two) / min(two)


def _levels(pixels: Floats) -> Floats:
    """The image as SIDE x SIDE ranks, darkest 0, brightest 1, without its slow changes.

    Ranks, because the exposure and the window are anyone's.
    """
    small = resize(np.ascontiguousarray(pixels, np.float32), SIDE)
    smooth = ndimage.gaussian_filter(small, 0.8)
    _, places, counts = np.unique(smooth, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2) / smooth.size  # equal levels share a rank
    ranked = ranks[places].reshape(SIDE, SIDE)
    slow = ndimage.gaussian_filter(ranked, SIDE / 4, mode="nearest")
    return _exact(ranked - 0.7 * slow)


def _exact(levels: NDArray[np.floating]) -> Floats:
    return np.asarray(np.rint(levels * EXACT) / EXACT, np.float32)


def _everywhere() -> Shapes:
    """Shapes with like lungs, wherever and however large a chest may be on a radiograph."""
    grid = np.meshgrid(
        np.linspace(0.38, 0.62, 5),
        np.linspace(0.22, 0.5, 5),
        np.linspace(0, 0.36, 6),
        np.linspace(0.35, 0.9, 6),
        indexing="ij",
    )
    middle, width, top, height = (axis.ravel() for axis in grid)
    found = np.stack([middle, width, width, top, top + height, top + height], axis=1)
    return np.asarray(found[top + height <= 1.1])


def _moved(levels: Floats, shape: Shape) -> Shape:
    """The shape after the moves that better it, by ever smaller steps."""
    best, score = shape, float(_scores(levels, shape[None])[0][0])
    for step in STEPS:
        while True:
            tried = _within(best + step * np.concatenate([_MOVES, -_MOVES]))
            scores = _scores(levels, tried)[0]
            at = int(scores.argmax())
            if scores[at] <= score:
                break
            best, score = tried[at], float(scores[at])
    return best


def _within(shapes: Shapes) -> Shapes:
    found = np.clip(shapes, LOWEST, HIGHEST)
    bases = [RIGHT_BOTTOM, LEFT_BOTTOM]
    found[:, bases] = np.maximum(found[:, bases], found[:, TOP, None] + LEAST_HEIGHT)
    return found


def _scores(levels: Floats, shapes: Shapes) -> tuple[Scores, Scores]:
    """How well each shape fits, and its contrast; shape (shapes,) each."""
    masks = zones(shapes, len(levels))
    counts = masks.sum(axis=2, dtype=np.float64)
    sums = (masks @ levels.ravel()).astype(np.float64)
    squares = (masks @ _exact(levels.ravel() ** 2)).astype(np.float64)
    means = sums / np.maximum(counts, 1)
    brighter = _brighter(means, counts) @ np.array(WEIGHTS) / sum(WEIGHTS)
    lungs, rest = slice(RIGHT, LEFT + 1), slice(BETWEEN, ABOVE + 1)
    within = [_variance(*(of[:, some] for of in (counts, sums, squares))) for some in (lungs, rest)]
    contrast = brighter / np.sqrt(within[0] + within[1] / 2 + FLOOR)
    area = counts[:, lungs].sum(axis=1) / levels.size
    widths = np.abs(shapes[:, RIGHT_WIDTH] - shapes[:, LEFT_WIDTH])
    bases = np.abs(shapes[:, RIGHT_BOTTOM] - shapes[:, LEFT_BOTTOM])
    return contrast * area**AREA_POWER * (1 - UNLIKE * (widths + bases)), contrast


def _brighter(means: Scores, counts: Scores) -> Scores:
    """By how much each zone is brighter than the lung beside it, shape (shapes, 6).

    What is darker counts twice, against the shape; what is outside of the image not at all.
    """
    both = means[:, [RIGHT, LEFT]].mean(axis=1)
    right, left = means[:, RIGHT], means[:, LEFT]
    beside = np.stack([both, right, left, right, left, both], axis=1)
    found = np.where(counts[:, BETWEEN:] > 0, means[:, BETWEEN:] - beside, 0)
    return np.where(found < 0, 2 * found, found)


def _variance(counts: Scores, sums: Scores, squares: Scores) -> Scores:
    count = np.maximum(counts.sum(axis=1), 1)
    spread = squares.sum(axis=1) / count - (sums.sum(axis=1) / count) ** 2
    return np.asarray(np.maximum(spread, 0))


def _field(shape: Shape, contrast: float) -> LungField:
    """Boxes a little larger than the shape, which ends where most of a lung does."""
    right_width, left_width = float(shape[RIGHT_WIDTH]), float(shape[LEFT_WIDTH])
    right_base, left_base = float(shape[RIGHT_BOTTOM]), float(shape[LEFT_BOTTOM])
    middle, top = float(shape[MIDDLE]), float(shape[TOP])
    margin = 0.04 * (min(right_base, left_base) - top)
    right = (middle - 1.06 * right_width, middle - 0.1 * right_width)
    left = (middle + 0.1 * left_width, middle + 1.06 * left_width)
    return LungField(
        right=clipped(right[0], top - margin, right[1], right_base + margin),
        left=clipped(left[0], top - margin, left[1], left_base + margin),
        middle=middle,
        contrast=contrast,
    )


def clipped(left: float, top: float, right: float, bottom: float) -> Box:
    """The box between two corners, what is outside of the image cut off."""
    low, high = np.clip([left, top], 0, 1), np.clip([right, bottom], 0, 1)
    return (float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))
