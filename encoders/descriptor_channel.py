"""The weight-free descriptor as one more channel of a network's input."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.baseline import describe


def with_descriptor(seen: Callable[..., Tensor], size: int) -> Callable[..., Tensor]:
    """What a network sees of an image, and the descriptor of the whole image behind it.

    Args:
        seen: from gray levels, float32 in [0, 1], and boxes where it takes them, to float32 of
            shape (channels, size, size).
        size: rows and columns; its square is at least the descriptor's length.

    Returns:
        The same with one channel more: the descriptor's numbers row by row, then 0.
    """

    def transform(pixels: NDArray[np.float32], *boxes: NDArray[np.float32] | None) -> Tensor:
        told = describe(pixels)
        plane = np.zeros(size * size, np.float32)
        plane[: len(told)] = told
        channel = torch.from_numpy(plane.reshape(1, size, size))
        return torch.cat([seen(pixels, *boxes), channel])

    return transform
