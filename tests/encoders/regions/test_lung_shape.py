"""The zones of a shape: where they are, that they are apart, and that they leave the image."""

import numpy as np

from encoders.regions.lung_shape import (
    ABOVE,
    BETWEEN,
    LEFT,
    LEFT_BELOW,
    LEFT_WALL,
    RIGHT,
    RIGHT_BELOW,
    RIGHT_WALL,
    zones,
)

SIDE = 100
SHAPE = np.array([[0.5, 0.3, 0.3, 0.2, 0.8, 0.8]])


def at(row: float, column: float) -> list[int]:
    """The zones of a pixel, given as parts of the image."""
    found = zones(SHAPE, SIDE).reshape(8, SIDE, SIDE)
    return np.flatnonzero(found[:, int(row * SIDE), int(column * SIDE)]).tolist()


def test_zones_lie_as_in_a_chest() -> None:
    assert at(0.5, 0.35) == [RIGHT]  # the patient's right at the image's left
    assert at(0.5, 0.65) == [LEFT]
    assert at(0.5, 0.5) == [BETWEEN]
    assert at(0.6, 0.16) == [RIGHT_WALL]
    assert at(0.6, 0.84) == [LEFT_WALL]
    assert at(0.85, 0.35) == [RIGHT_BELOW]
    assert at(0.85, 0.65) == [LEFT_BELOW]
    assert at(0.15, 0.4) == [ABOVE]
    assert at(0.05, 0.05) == []


def test_no_pixel_is_a_lungs_and_another_zones() -> None:
    shapes = np.array([[0.4, 0.2, 0.35, 0.05, 0.6, 0.9], [0.6, 0.5, 0.5, 0.3, 1.1, 1.1], SHAPE[0]])
    found = zones(shapes, SIDE)
    lungs = found[:, [RIGHT, LEFT]].sum(axis=1)
    assert lungs.max() == 1
    assert not (lungs * found[:, [BETWEEN, RIGHT_WALL, LEFT_WALL]].sum(axis=1)).any()
    assert not (lungs * found[:, [RIGHT_BELOW, LEFT_BELOW, ABOVE]].sum(axis=1)).any()


def test_what_is_outside_of_the_image_is_in_no_zone() -> None:
    """A chest that fills the image has neither walls nor shoulders on it."""
    filled = zones(np.array([[0.5, 0.55, 0.55, -0.02, 1.15, 1.15]]), SIDE)[0].sum(axis=1)
    assert filled[RIGHT] > 0
    assert filled[ABOVE] == 0
    assert filled[RIGHT_BELOW] == 0
