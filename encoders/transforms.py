"""The MONAI transforms that make a network's input, as ``Preprocessing`` says."""

from collections.abc import Callable

import numpy as np
import torch
from monai.transforms.compose import Compose
from monai.transforms.transform import Transform
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from encoders.preprocessing import Preprocessing

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


def transforms_of(asked: Preprocessing) -> Callable[[NDArray[np.float32]], Tensor]:
    """From gray levels, float32 in [0, 1], shape (rows, columns), to (channels, size, size)."""
    steps: list[Transform] = [ResizeGray(asked)]
    if asked.stretch:
        steps.append(Stretch())
    levels = ToChannels(asked)
    square = ToSquare(asked)
    return Compose([*steps, *((levels, square) if asked.fill_last else (square, levels))])


def resized_shape(rows: int, columns: int, asked: Preprocessing) -> tuple[int, int]:
    """Rows and columns after the resize; no side below 1."""
    to = asked.resize_to or asked.size
    if asked.resize == "square":
        return to, to
    side = min(rows, columns) if asked.resize == "shortest side" else max(rows, columns)
    return max(1, round(rows * to / side)), max(1, round(columns * to / side))


class ResizeGray(Transform):
    """Resize in 8 bits by Pillow, or in floating point by torch; (rows, columns) to (1, …)."""

    def __init__(self, asked: Preprocessing) -> None:
        self._asked = asked

    def __call__(self, gray: NDArray[np.float32]) -> Tensor:
        """The resized image, float32 in [0, 1], shape (1, rows, columns)."""
        rows, columns = resized_shape(gray.shape[0], gray.shape[1], self._asked)
        if self._asked.eight_bits:
            picture = Image.fromarray(np.rint(gray * 255).astype(np.uint8))
            small = picture.resize((columns, rows), _FILTERS[self._asked.filter])
            return torch.from_numpy(np.asarray(small, np.float32) / 255)[None]
        held = torch.from_numpy(np.ascontiguousarray(gray))[None, None]
        smooth = self._asked.filter != "nearest"
        return functional.interpolate(
            held,
            (rows, columns),
            mode=self._asked.filter,
            align_corners=False if smooth else None,
            antialias=smooth,
        )[0]


class ToSquare(Transform):
    """Crops what is beyond the square's centre, and fills what lacks with 0."""

    def __init__(self, asked: Preprocessing) -> None:
        self._asked = asked

    def __call__(self, picture: Tensor) -> Tensor:
        """The square, shape (channels, size, size)."""
        size = self._asked.size
        rows, columns = picture.shape[-2:]
        top, left = max(0, rows - size) // 2, max(0, columns - size) // 2
        inside = picture[..., top : top + size, left : left + size]
        below, right = size - inside.shape[-2], size - inside.shape[-1]
        if self._asked.fill == "corner":
            return functional.pad(inside, (0, right, 0, below))
        margins = (right // 2, right - right // 2, below // 2, below - below // 2)
        return functional.pad(inside, margins)


class Stretch(Transform):
    """Least and greatest gray level to 0 and 1; an even image to 0."""

    def __call__(self, picture: Tensor) -> Tensor:
        """The same shape, in [0, 1]."""
        low, high = picture.min(), picture.max()
        return (picture - low) / (high - low).clamp(min=1e-8)


class ToChannels(Transform):
    """Range and statistics, the gray image in each channel."""

    def __init__(self, asked: Preprocessing) -> None:
        self._asked = asked

    def __call__(self, picture: Tensor) -> Tensor:
        """Shape (channels, rows, columns)."""
        asked = self._asked
        ranged = picture * (asked.high - asked.low) + asked.low
        mean, std = torch.tensor(asked.mean), torch.tensor(asked.std)
        every = ranged.expand(asked.channels, -1, -1)
        return (every - mean[:, None, None]) / std[:, None, None]
