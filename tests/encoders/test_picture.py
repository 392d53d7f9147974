"""Pictures for people."""

import io

import numpy as np
import pytest
from PIL import Image

from encoders.image import GrayscaleImage
from encoders.picture import to_png


def opened(image: GrayscaleImage, longest: int = 512) -> "Image.Image":
    return Image.open(io.BytesIO(to_png(image, longest)))


def test_levels_round_to_the_nearest_of_256() -> None:
    found = opened(GrayscaleImage(np.array([[0.0, 0.5, 1.0, 0.1]], np.float32)))
    assert (found.mode, np.asarray(found).tolist()) == ("L", [[0, 128, 255, 26]])


@pytest.mark.parametrize(
    ("shape", "size"), [((1000, 500), (256, 512)), ((100, 50), (50, 100)), ((3, 2000), (512, 1))]
)
def test_large_images_shrink_and_small_ones_stay(
    shape: tuple[int, int], size: tuple[int, int]
) -> None:
    assert opened(GrayscaleImage(np.zeros(shape, np.float32))).size == size


def test_shrinking_averages() -> None:
    board = np.indices((8, 8)).sum(axis=0) % 2
    found = opened(GrayscaleImage(board.astype(np.float32)), longest=4)
    assert set(np.asarray(found).ravel().tolist()) <= {127, 128}
