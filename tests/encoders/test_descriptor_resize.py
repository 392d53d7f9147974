"""Resizing: area averages against a fine grid counted out, interpolation against `numpy.interp`."""

import numpy as np
import pytest

from encoders.descriptor_resize import halve, resampling_matrix, resize


@pytest.mark.parametrize(("length", "size"), [(1, 1), (4, 2), (5, 3), (7, 7), (300, 256), (97, 16)])
def test_shrinking_averages_the_area_covered(length: int, size: int) -> None:
    line = np.random.default_rng(length).random(length)
    # on a grid of length * size parts each old and each new pixel is a whole number of parts
    expected = np.repeat(line, size).reshape(size, length).mean(axis=1)
    got = resampling_matrix(length, size) @ line
    np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize(("length", "size"), [(1, 5), (2, 3), (16, 64), (192, 256)])
def test_enlarging_interpolates_between_pixel_centres(length: int, size: int) -> None:
    line = np.random.default_rng(length).random(length)
    centres = (np.arange(size) + 0.5) * length / size
    expected = np.interp(centres, np.arange(length) + 0.5, line)
    got = resampling_matrix(length, size) @ line
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_axes_are_not_mixed_up() -> None:
    image = np.array([[0, 0, 1, 1], [0, 0, 0.5, 0.5]], dtype=np.float32)
    np.testing.assert_allclose(resize(image, 2), np.array([[0, 1], [0, 0.5]]))


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (511, 513)])
def test_a_constant_image_stays_constant(shape: tuple[int, int]) -> None:
    image = np.full(shape, 0.3, dtype=np.float32)
    small = resize(image, 64)
    assert small.shape == (64, 64)
    assert small.dtype == np.float32
    np.testing.assert_allclose(small, 0.3, atol=1e-6)


def test_halving_averages_blocks_of_four() -> None:
    image = np.array([[0, 1, 2, 2], [1, 2, 2, 6]], dtype=np.float32)
    np.testing.assert_array_equal(halve(image), [[1, 3]])
