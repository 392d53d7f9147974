"""The blocks of the descriptor on images small enough to work out by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from encoders import descriptor_blocks as blocks

Pixels = NDArray[np.float32]


def ramp(size: int) -> Pixels:
    """Return an image that grows brighter to the right by one hundredth per pixel."""
    return np.tile(np.arange(size, dtype=np.float32) / 100, (size, 1))


def test_layout_is_the_image_less_its_mean() -> None:
    image = np.array([[0, 1], [0, 1]], dtype=np.float32)
    np.testing.assert_allclose(blocks.grey_layout(image), [-0.5, 0.5, -0.5, 0.5])


def test_gradients_are_per_pixel_and_zero_across_the_border() -> None:
    down, right = blocks.gradients(ramp(4))
    np.testing.assert_allclose(down, 0)
    # the border pixel is repeated: half a step at either end
    np.testing.assert_allclose(right[0], [0.005, 0.01, 0.01, 0.005], atol=1e-7)


@pytest.mark.parametrize(("turns", "direction"), [(0, 0), (1, 3), (2, 2), (3, 1)])
def test_an_edge_counts_for_its_direction_alone(turns: int, direction: int) -> None:
    # directions are quarter turns from "brighter to the right" over "brighter downwards"
    image = np.rot90(ramp(16), turns)
    found = blocks.oriented_gradients(np.ascontiguousarray(image), cells=2, directions=4)
    strength = np.square(found.reshape(4, 4)).sum(axis=1)
    np.testing.assert_allclose(strength, np.eye(4)[direction], atol=1e-5)


def test_pattern_bits_run_clockwise_from_the_upper_left() -> None:
    image = np.zeros((3, 3), dtype=np.float32)
    image[0, 0] = image[0, 1] = image[1, 0] = 1
    # neighbours 0 and 1 are the upper left and the upper one, 7 is the left one
    assert blocks.pattern_codes(image)[1, 1] == 0b10000011


def test_a_neighbour_less_than_a_grey_level_brighter_makes_no_pattern() -> None:
    image = np.full((3, 3), 0.5, dtype=np.float32)
    image[1, 1] -= 0.9 * blocks.PATTERN_STEP
    assert not blocks.pattern_codes(image).any()


def test_58_patterns_are_uniform_and_share_no_bin() -> None:
    bins = blocks.uniform_patterns()
    # by hand: 0, 255 and 8 * 7 arcs of one to seven bits; 0b101 changes four times
    assert (bins < 58).sum() == 2 + 8 * 7
    assert sorted(set(bins.tolist())) == list(range(59))
    assert bins[0b101] == 58


def test_patterns_are_counted_in_their_own_cell() -> None:
    image = np.zeros((8, 8), dtype=np.float32)
    image[6, 6] = 1
    cells = blocks.binary_patterns(image, cells=2).reshape(4, 59)
    flat = blocks.uniform_patterns()[0]
    other = np.delete(cells, flat, axis=1)
    assert not other[:3].any()
    # in the last cell eight neighbours see the bright pixel, each in a different direction
    assert np.count_nonzero(other[3]) == 8


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, [1, 0, 0]), (0.5, [0, 1, 0]), (1.0, [0, 0, 1]), (0.25, [0.5, 0.5, 0])],
)
def test_intensity_is_shared_between_the_nearest_levels(
    value: float, expected: list[float]
) -> None:
    image = np.full((4, 4), value, dtype=np.float32)
    joint = np.square(blocks.intensity_and_gradient(image, levels=3, steps=2).reshape(3, 2))
    # shares are counts under the root, so the squares of a unit vector are proportional to them
    np.testing.assert_allclose(joint[:, 0] / joint[:, 0].sum(), expected, atol=1e-6)
    assert not joint[:, 1].any()


def test_a_steep_edge_falls_into_the_last_step() -> None:
    image = np.tile(np.array([0, 0, 1, 1], dtype=np.float32), (4, 1))
    joint = np.square(blocks.intensity_and_gradient(image, levels=2, steps=4).reshape(2, 4))
    # half the pixels are dark, half bright; of each the half beside the edge sees the step
    np.testing.assert_allclose(joint, [[0.25, 0, 0, 0.25], [0.25, 0, 0, 0.25]], atol=1e-6)


def test_soft_cells_share_a_pixel_out_between_two_centres() -> None:
    expected = [[1, 0.75, 0.25, 0], [0, 0.25, 0.75, 1]]
    np.testing.assert_allclose(blocks.soft_cells(4, 2)[:, 1:3], np.asarray(expected)[:, 1:3])


def test_zeros_stay_zeros() -> None:
    assert not blocks.unit(np.zeros(3)).any()
    assert not blocks.oriented_gradients(np.full((8, 8), 0.4, dtype=np.float32), 2, 4).any()
