"""The check of every vector before anyone stores it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.encoder import Encoder, EncoderError, Prepared, UnusableVectorsError
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
            UnusableVectorsError: some are not finite or not of unit length; it says which.
            EncoderError: there are too few, or of another dimension; or the device cannot.
        """
        expected = (len(prepared), self.space.dimension)
        if not prepared:
            return np.zeros(expected, np.float32)
        vectors = np.asarray(self.inner.infer(prepared), dtype=np.float32)
        name = self.space.encoder
        if vectors.shape != expected:
            raise EncoderError(f"{name} gave vectors of shape {vectors.shape}, not {expected}")
        finite = np.isfinite(vectors)
        self._refuse("with NaN or infinity (check its weights)", ~np.all(finite, axis=1))
        lengths = np.linalg.norm(vectors, axis=1)
        off = np.asarray(np.abs(lengths - 1))
        self._refuse(f"of length {lengths[off.argmax()]:.3g}, not 1", off > UNIT_LENGTH_TOLERANCE)
        return vectors

    def _refuse(self, fault: str, faulty: NDArray[np.bool_]) -> None:
        positions = [int(at) for at in np.flatnonzero(faulty)]
        if positions:
            raise UnusableVectorsError(
                f"{self.space.encoder} gave a vector {fault}, for image "
                f"{', '.join(map(str, positions))} of {len(faulty)}, counted from 0",
                positions,
            )

    def embed(self, images: Sequence[GrayscaleImage]) -> NDArray[np.float32]:
        """Both steps for any number of images: float32, shape (images, dimension).

        Raises:
            EncoderError: as ``prepare`` and ``infer``.
        """
        prepared = [self.prepare(image) for image in images]
        batches = range(0, max(1, len(prepared)), self.batch)
        return np.concatenate([self.infer(prepared[at : at + self.batch]) for at in batches])
