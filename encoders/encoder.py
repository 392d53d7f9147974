"""What an encoder is: the contract, what a site may set for one, and how it fails."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from encoders.image import GrayscaleImage
from encoders.space import Space


class EncoderError(Exception):
    """An encoder cannot be made or gave no usable vector; the message names cause and remedy."""


class UnusableVectorsError(EncoderError):
    """Some images of a batch got no usable vector; the others may be asked for again.

    Attributes:
        positions: of those images in the batch, from 0.
    """

    def __init__(self, message: str, positions: Sequence[int]) -> None:
        super().__init__(message)
        self.positions = tuple(positions)


Precision = Literal["fp32", "bf16"]
Runtime = Literal["torch", "openvino"]
Prepared = NDArray[np.float32]
"""One image as its network takes it; what it holds is the encoder's own affair."""


@dataclass(frozen=True)
class EncoderOptions:
    """What a site sets for an encoder.

    Attributes:
        weights: a local file; None takes what ``likeness encoders fetch`` brought.
        folder: where fetched weights and their lock lie; None where nothing was ever fetched.
        allow_pickle: whether weights in pickles may be opened (as tensors only).
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:N``; several,
            parted by commas, each get the network and a share of the batches.
        threads: CPU threads of the forward pass, shared by the networks on the CPU; 0 for one less
            than there are cores.
        batch: images in one forward pass, at most.
        precision: ``bf16`` computes in bfloat16 where that is as good; it makes another space.
        compile: whether torch compiles the network first (minutes, once per start).
        deterministic: whether an image gets the same vector to the last bit whenever it is asked
            for, on one kind of device with as many threads: operations that do not repeat are
            refused, and each image has a forward pass of its own.
        runtime: what runs the forward pass on a CPU.
    """

    weights: Path | None = None
    folder: Path | None = None
    allow_pickle: bool = False
    device: str = "auto"
    threads: int = 0
    batch: int = 32
    precision: Precision = "fp32"
    compile: bool = False
    deterministic: bool = False
    runtime: Runtime = "torch"

    def cpu_threads(self) -> int:
        """How many CPU threads the network gets.

        By default one core is left to receiving and the database: a network on all cores waits,
        layer by layer, for the thread whose core is taken (docs/benchmarks.md).
        """
        return self.threads or max(1, len(os.sched_getaffinity(0)) - 1)


class Encoder(Protocol):
    """What makes vectors of images, in two steps that may run in different threads."""

    @property
    def space(self) -> Space:
        """What this encoder's vectors mean."""

    @property
    def batch(self) -> int:
        """How many images ``infer`` takes best at once."""

    @property
    def lanes(self) -> int:
        """How many threads may call ``infer`` at once; one for each CPU, two for each GPU."""

    def prepare(self, image: GrayscaleImage) -> Prepared:
        """An image as the network takes it; may be called from any thread.

        Raises:
            EncoderError: this image has no vector here; the message says why.
        """

    def infer(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        """One vector per image, float32, shape (images, dimension), each of unit length.

        Raises:
            EncoderError: no usable vectors came of it.
        """
