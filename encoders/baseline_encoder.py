"""The encoder ``baseline``: the weightless descriptor behind the encoder interface."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from encoders.baseline import DIMENSION, PREPROCESSING, VERSION, describe
from encoders.choice import SLICE_RULE
from encoders.grayscale import WINDOW_RULE
from encoders.image import GrayscaleImage
from encoders.space import Space


class BaselineEncoder:
    """Needs nothing but the image; the same on every machine."""

    @property
    def space(self) -> Space:
        """What the descriptor's vectors mean."""
        return Space(
            encoder="baseline",
            encoder_version=str(VERSION),
            weights_digest="",
            preprocessing=PREPROCESSING,
            window_rule=WINDOW_RULE,
            slice_rule=SLICE_RULE,
            pooling="none",
            dimension=DIMENSION,
        )

    def embed(self, images: Sequence[GrayscaleImage]) -> NDArray[np.float32]:
        """One descriptor per image, float32, shape (images, dimension)."""
        return np.stack([describe(image.pixels) for image in images])
