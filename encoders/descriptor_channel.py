"""The weight-free descriptor as one more channel of a network's input.

Its numbers stand row by row from the channel's beginning; the next number is 1 where the networks
behind it were made for such an image, and 0 where only the descriptor is to be asked.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.baseline import describe
from encoders.baseline_size import DIMENSION


def with_descriptor(seen: Callable[..., Tensor], size: int) -> Callable[..., Tensor]:
    """What a network sees of an image, and the descriptor of the whole image behind it.

    Args:
        seen: from gray levels, float32 in [0, 1], and boxes where it takes them, to float32 of
            shape (channels, size, size).
        size: rows and columns; its square is above the descriptor's length.

    Returns:
        The same with one channel more, of an image that its networks were made for.
    """

    def transform(pixels: NDArray[np.float32], *boxes: NDArray[np.float32] | None) -> Tensor:
        plane = np.zeros(size * size, np.float32)
        plane[:DIMENSION] = describe(pixels)
        plane[DIMENSION] = 1
        channel = torch.from_numpy(plane.reshape(1, size, size))
        return torch.cat([seen(pixels, *boxes), channel])

    return transform


def only_descriptor(seen: Tensor) -> Tensor:
    """The input of an image that the networks were not made for; changed in place.

    Args:
        seen: with the descriptor's channel, shape (channels + 1, size, size).
    """
    seen[-1].view(-1)[DIMENSION] = 0
    return seen


def descriptor_of(batch: Tensor) -> Tensor:
    """Shape (images, ``DIMENSION``), of inputs of shape (images, channels + 1, size, size)."""
    return batch[:, -1].flatten(1)[:, :DIMENSION]


def is_made_for(batch: Tensor) -> Tensor:
    """1 where the networks were made for the image, else 0; shape (images, 1)."""
    return batch[:, -1].flatten(1)[:, DIMENSION : DIMENSION + 1]
