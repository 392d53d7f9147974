"""What an encoder is: the contract, what a site may set for one, and how it fails."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from encoders.image import GrayscaleImage
from encoders.space import Space


class EncoderError(Exception):
    """An encoder cannot be made or gave no usable vector; the message names cause and remedy."""


@dataclass(frozen=True)
class EncoderOptions:
    """What a site sets for an encoder.

    Attributes:
        weights: a local safetensors file, for encoders that need one.
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:N``.
        threads: CPU threads of the network, 0 for one less than there are cores.
    """

    weights: Path | None = None
    device: str = "auto"
    threads: int = 0

    def cpu_threads(self) -> int:
        """How many CPU threads the network gets.

        By default one core is left to receiving and the database: a network on all cores waits,
        layer by layer, for the thread whose core is taken (docs/benchmarks.md).
        """
        return self.threads or max(1, len(os.sched_getaffinity(0)) - 1)


class Encoder(Protocol):
    """What makes vectors of images."""

    @property
    def space(self) -> Space:
        """What this encoder's vectors mean."""

    def embed(self, images: Sequence[GrayscaleImage]) -> NDArray[np.float32]:
        """One vector per image, float32, shape (images, dimension), each of unit length."""
