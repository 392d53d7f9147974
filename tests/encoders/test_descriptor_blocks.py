"""The blocks of the descriptor on images small enough to work out by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from encoders import descriptor_blocks as blocks

Pixels = NDArray[np.float32]


def pixels_in(vector: Pixels, levels: int, steps: int) -> Pixels:
    """Return the share of pixels in each bin of a joint histogram that was raised to a power."""
    counts = (vector.astype(np.float64) ** (1 / blocks.COUNT_POWER)).reshape(levels, steps)
    return np.asarray(counts / counts.sum(), dtype=np.float32)


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
    image = np.zeros((64, 64), dtype=np.float32)
    image[60, 60] = 1
    cells = blocks.binary_patterns(image, cells=2).reshape(59, 4).T
    flat = blocks.uniform_patterns()[0]
    other = np.delete(cells, flat, axis=1)
    assert not other[:3].any()
    # blurred, the bright pixel is a hill: its slopes face all eight ways
    assert np.count_nonzero(other[3]) >= 8


def test_patterns_in_the_middle_are_shared_by_all_cells_alike() -> None:
    image = np.zeros((64, 64), dtype=np.float32)
    image[31:33, 31:33] = 1
    cells = np.square(blocks.binary_patterns(image, cells=2).reshape(59, 4))
    flat = blocks.uniform_patterns()[0]
    found = np.delete(cells, flat, axis=0).sum(axis=0)
    # the spot's patterns lie within four tiles around the middle, and each faces another way
    np.testing.assert_allclose(found / found.sum(), 0.25, atol=1e-3)


def test_noise_of_single_pixels_makes_far_fewer_patterns_than_grain() -> None:
    random = np.random.default_rng(1)
    flat = blocks.uniform_patterns()[0]

    def patterned(image: Pixels) -> float:
        cells = np.square(blocks.binary_patterns(image, cells=1))
        return float(1 - cells[flat] / cells.sum())

    noise = 0.5 + 0.005 * random.standard_normal((64, 64), dtype=np.float32)
    grain = np.repeat(np.repeat(noise[:16, :16], 4, axis=0), 4, axis=1)
    assert patterned(noise) < 0.5 * patterned(grain)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, [1, 0, 0]), (0.5, [0, 1, 0]), (1.0, [0, 0, 1]), (0.25, [0.5, 0.5, 0])],
)
def test_intensity_is_shared_between_the_nearest_levels(
    value: float, expected: list[float]
) -> None:
    image = np.full((4, 4), value, dtype=np.float32)
    joint = pixels_in(blocks.intensity_and_gradient(image, levels=3, steps=2), 3, 2)
    np.testing.assert_allclose(joint[:, 0], expected, atol=1e-6)
    assert not joint[:, 1].any()


def test_a_steep_edge_falls_into_the_last_step() -> None:
    image = np.tile(np.array([0, 0, 1, 1], dtype=np.float32), (4, 1))
    joint = pixels_in(blocks.intensity_and_gradient(image, levels=2, steps=4), 2, 4)
    # half the pixels are dark, half bright; of each the half beside the edge sees the step
    np.testing.assert_allclose(joint, [[0.25, 0, 0, 0.25], [0.25, 0, 0, 0.25]], atol=1e-6)


@pytest.mark.parametrize(
    ("size", "expected"),
    # from 2**-9 to 2**-1 are eight doublings
    [(0.0, 0.0), (2.0**-9, 0.0), (2.0**-8, 1 / 8), (2.0**-5, 0.5), (2.0**-1, 1.0), (1.0, 1.0)],
)
def test_contrast_counts_by_doublings(size: float, expected: float) -> None:
    found = blocks.log_contrast(np.array([[size]], dtype=np.float32))
    assert found[0, 0] == pytest.approx(expected, abs=1e-6)


def test_an_even_image_stands_out_from_nothing() -> None:
    image = np.full((16, 16), 0.5, dtype=np.float32)
    joint = pixels_in(blocks.intensity_and_surroundings(image, levels=3, steps=5), 3, 5)
    expected = np.zeros((3, 5))
    expected[1, 2] = 1
    np.testing.assert_allclose(joint, expected, atol=1e-6)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_what_is_brighter_than_its_surroundings_counts_on_the_upper_side(level: float) -> None:
    image = np.full((64, 64), 1 - level, dtype=np.float32)
    image[30:34, 30:34] = level
    joint = pixels_in(blocks.intensity_and_surroundings(image, levels=2, steps=3), 2, 3)
    of_level = joint[int(level)]
    side, opposite = (2, 0) if level else (0, 2)
    # the blur lends the spot's level to the other side by traces only, at the foot of the spot
    assert of_level[side] > 20 * of_level[opposite]


def test_values_are_shared_between_both_their_bins() -> None:
    first, second = np.full((2, 2), 0.25), np.full((2, 2), 0.5)
    found = blocks.joint_histogram(
        first.astype(np.float32), second.astype(np.float32), levels=3, steps=2
    )
    # by hand: half way between levels 0 and 1, half way between steps 0 and 1, of four pixels
    np.testing.assert_allclose(found, [1, 1, 1, 1, 0, 0])


def test_blurring_keeps_the_sum_and_spreads_by_its_width() -> None:
    image = np.zeros((33, 33), dtype=np.float32)
    image[16, 16] = 1
    found = blocks.blurred(image, 2.0)
    variance = (found * np.square(np.arange(33) - 16)).sum()
    assert found.sum() == pytest.approx(1, abs=1e-5)
    assert variance == pytest.approx(4, rel=0.02)


def test_soft_cells_share_a_pixel_out_between_two_centres() -> None:
    expected = [[1, 0.75, 0.25, 0], [0, 0.25, 0.75, 1]]
    np.testing.assert_allclose(blocks.soft_cells(4, 2)[:, 1:3], np.asarray(expected)[:, 1:3])


def test_zeros_stay_zeros() -> None:
    assert not blocks.unit(np.zeros(3)).any()
    assert not blocks.oriented_gradients(np.full((8, 8), 0.4, dtype=np.float32), 2, 4).any()
