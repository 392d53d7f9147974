"""scikit-image's resize by sparse matrices, against its own formula by scipy's filters."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from encoders.gaussian_resize import central_square, resize

Image = NDArray[np.float32]


def by_filters(image: Image, shape: tuple[int, int], beyond: float) -> Image:
    """What skimage.transform.resize(mode="constant") is documented to do, in float64."""
    factors = np.divide(image.shape, shape)
    smooth = ndimage.gaussian_filter(
        image.astype(np.float64), np.maximum(0, (factors - 1) / 2), mode="constant", cval=beyond
    )
    found = ndimage.zoom(
        smooth, 1 / factors, order=1, mode="grid-constant", cval=beyond, grid_mode=True
    )
    return np.asarray(np.clip(found, image.min(), image.max()), np.float32)


@pytest.mark.parametrize(
    ("rows", "columns", "shape"),
    [
        (1024, 1024, (224, 224)),
        (301, 301, (224, 224)),
        (224, 224, (224, 224)),
        (100, 130, (224, 224)),
        (500, 60, (64, 64)),
    ],
)
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.7, 1.0), (0.0, 0.3)])
def test_it_is_smoothing_then_linear_interpolation(
    rows: int, columns: int, shape: tuple[int, int], low: float, high: float
) -> None:
    drawn = np.random.default_rng(rows).uniform(low, high, (rows, columns)).astype(np.float32)
    found = resize(drawn, *shape, beyond=0.5)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_filters(drawn, shape, 0.5), atol=1e-6)


def test_an_even_image_stays_as_it_is() -> None:
    even = np.full((90, 70), 0.25, np.float32)
    np.testing.assert_allclose(resize(even, 32, 32, beyond=0.5), 0.25, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "top", "left", "side"),
    [((5, 9), 0, 2, 5), ((9, 5), 2, 0, 5), ((4, 9), 0, 2, 4), ((9, 4), 2, 0, 4), ((3, 3), 0, 0, 3)],
)
def test_the_central_square(shape: tuple[int, int], top: int, left: int, side: int) -> None:
    image = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)
    expected = image[top : top + side, left : left + side]
    np.testing.assert_array_equal(central_square(image), expected)
