"""The place of one batch on a device, and what happens when the device's memory is too small."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from encoders.encoder import EncoderError, Prepared

log = logging.getLogger(__name__)

Vectors = NDArray[np.float32]
Runner = Callable[[Sequence[Prepared]], Vectors]
"""One forward pass: from images to vectors, float32, shape (images, dimension)."""

_NO_MEMORY = (
    "DefaultCPUAllocator: can't allocate memory",
    "CUDA error: out of memory",  # of the driver, where the allocator was not asked
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "unable to find an engine to execute",  # cuDNN's algorithms all wanted more than there is
    "Unable to find a valid cuDNN algorithm",
)


@dataclass(frozen=True)
class _NoMemory:
    words: str


class Lane:
    """Runs batches of any size on one device, in parts of at most ``most`` images.

    Whoever calls ``infer`` must be the only one: it may lower ``most``.

    Args:
        run: the forward pass.
        device: its name, for messages.
        most: images in one forward pass.
    """

    def __init__(self, run: Runner, device: str, most: int) -> None:
        self._run = run
        self._device = device
        self._most = most

    def infer(self, prepared: Sequence[Prepared]) -> Vectors:
        """One vector per image, in their order.

        A part that the device has no memory for is halved until it fits; later ones stay as small.

        Raises:
            EncoderError: there is no memory for a single image, or an operation does not repeat
                to the last bit where the site wants only those that do.
        """
        found: list[Vectors] = []
        before, at = self._most, 0
        while at < len(prepared):
            part = prepared[at : at + self._most]
            vectors = self._tried(part)
            if isinstance(vectors, _NoMemory):
                self._halve(part, vectors)
                continue
            found.append(vectors)
            at += len(part)
        if self._most < before:
            log.warning(
                "%s has no memory for %d images of %s at once; from now on it gets %d",
                self._device,
                min(before, len(prepared)),
                shape_text(prepared[0]),
                self._most,
            )
        return np.concatenate(found)

    def _tried(self, part: Sequence[Prepared]) -> "Vectors | _NoMemory":
        # no exception for it: while one is handled its frames hold on to the batch's tensors
        try:
            return self._run(part)
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                return _NoMemory(first_line(error))
            if "deterministic" in str(error):
                raise EncoderError(
                    f"the network cannot repeat to the last bit on {self._device} ({error}); "
                    "set deterministic = false"
                ) from error
            raise

    def _halve(self, part: Sequence[Prepared], why: "_NoMemory") -> None:
        if len(part) == 1:
            raise EncoderError(
                f"{self._device} has no memory for one image of {shape_text(part[0])} "
                f"({why.words}); free some, or choose another device or a smaller encoder"
            )
        self._most = len(part) // 2
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call] # of torch's own
            torch.cuda.empty_cache()  # pieces of the size that failed are no use to a smaller one


def is_out_of_memory(error: Exception) -> bool:
    """Whether it was raised for want of memory; torch has a type for it only on a GPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(words in str(error) for words in _NO_MEMORY)


def first_line(error: Exception) -> str:
    """The first line that says something; torch and OpenVINO add pages."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def shape_text(image: Prepared) -> str:
    """Such as ``3 x 224 x 224``."""
    return " x ".join(map(str, image.shape))
