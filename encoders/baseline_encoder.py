"""The encoder ``baseline``: the weightless descriptor behind the encoder interface."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from encoders.baseline import PREPROCESSING, describe
from encoders.baseline_size import DIMENSION, VERSION
from encoders.choice import SLICE_RULE
from encoders.declaration import Declaration
from encoders.encoder import EncoderOptions, Prepared
from encoders.grayscale import WINDOW_RULE
from encoders.image import GrayscaleImage
from encoders.space import Space


class BaselineEncoder:
    """Needs nothing but the image; the same on every machine."""

    batch = 64
    lanes = 1

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

    def prepare(self, image: GrayscaleImage) -> Prepared:
        """The descriptor, float32, shape (dimension,): there is nothing left to infer."""
        return describe(image.pixels)

    def infer(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        """The descriptors, float32, shape (images, dimension)."""
        return np.stack(prepared)


def make(declaration: Declaration, options: EncoderOptions) -> BaselineEncoder:  # noqa: ARG001
    """The encoder; there is nothing to set."""
    return BaselineEncoder()
