"""The check of every vector before anyone stores it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.encoder import Encoder, EncoderError, Prepared
from encoders.image import GrayscaleImage
from encoders.space import Space

UNIT_LENGTH_TOLERANCE = 1e-3
"""How far from 1 the length of a vector may be."""


@dataclass(frozen=True)
class CheckedEncoder:
    """An encoder whose every answer is checked."""

    inner: Encoder

    @property
    def space(self) -> Space:
        """What this encoder's vectors mean."""
        return self.inner.space

    @property
    def batch(self) -> int:
        """How many images ``infer`` takes best at once."""
        return self.inner.batch

    @property
    def lanes(self) -> int:
        """How many threads may call ``infer`` at once."""
        return self.inner.lanes

    def prepare(self, image: GrayscaleImage) -> Prepared:
        """An image as the network takes it; may be called from any thread.

        Raises:
            EncoderError: this image has no vector here.
        """
        return self.inner.prepare(image)

    def infer(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        """One vector per image, float32, shape (images, dimension), each of unit length.

        Raises:
            EncoderError: a vector is not finite, of another length or of the wrong shape.
        """
        expected = (len(prepared), self.space.dimension)
        if not prepared:
            return np.zeros(expected, np.float32)
        vectors = np.asarray(self.inner.infer(prepared), dtype=np.float32)
        name = self.space.encoder
        if vectors.shape != expected:
            raise EncoderError(f"{name} gave vectors of shape {vectors.shape}, not {expected}")
        if not np.isfinite(vectors).all():
            raise EncoderError(f"{name} gave a vector with NaN or infinity; check its weights")
        lengths = np.linalg.norm(vectors, axis=1)
        if np.abs(lengths - 1).max() > UNIT_LENGTH_TOLERANCE:
            raise EncoderError(f"{name} gave a vector of length {lengths.min():.3g}, not 1")
        return vectors

    def embed(self, images: Sequence[GrayscaleImage]) -> NDArray[np.float32]:
        """Both steps for any number of images: float32, shape (images, dimension).

        Raises:
            EncoderError: as ``prepare`` and ``infer``.
        """
        prepared = [self.prepare(image) for image in images]
        batches = range(0, max(1, len(prepared)), self.batch)
        return np.concatenate([self.infer(prepared[at : at + self.batch]) for at in batches])
