"""The MONAI transforms that make a network's input, as ``Preprocessing`` says.

Between them images are NumPy arrays: of gray levels in 8 bits, or float32 with black 0 and white 1.
Pillow resizes both, in one thread and without the interpreter's lock. The resize of torch would
take the threads of the network that runs meanwhile; in double precision it gives the same.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from monai.transforms.compose import Compose
from monai.transforms.transform import Transform
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from encoders import gaussian_resize
from encoders.preprocessing import Preprocessing

Floats = NDArray[np.float32]
Gray = NDArray[Any]
"""uint8 of 256 levels, or float32 in [0, 1]."""

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
_TINY = np.float32(1e-8)


def transforms_of(asked: Preprocessing) -> Callable[..., Tensor]:
    """From gray levels, float32 in [0, 1], shape (rows, columns), to (channels, size, size).

    What sees regions takes their boxes too, shape (regions, 4), or None to find them itself.

    Raises:
        RegionError: there is no such layout; when called, boxes are not inside the image, or not
            as many as the layout has.
    """
    made: Callable[..., Tensor] = _of_whole(asked)
    if asked.regions:
        from encoders.regions.transforms import region_transforms  # noqa: PLC0415 (SciPy)

        made = region_transforms(asked.regions, made)
    if asked.descriptor:
        from encoders.descriptor_channel import with_descriptor  # noqa: PLC0415 (SciPy)

        made = with_descriptor(made, asked.size)
    return made


def _of_whole(asked: Preprocessing) -> Callable[[Floats], Tensor]:
    steps: list[Callable[..., object]] = [ToLevels(asked), ResizeGray(asked)]
    if asked.stretch:
        steps.append(Stretch())
    levels, square = ToChannels(asked), ToSquare(asked)
    steps += (levels, square) if asked.fill_last else (square, levels)
    return Compose([*steps, torch.from_numpy])


def resized_shape(rows: int, columns: int, asked: Preprocessing) -> tuple[int, int]:
    """Rows and columns after the resize; no side below 1.

    Of the side that is not asked for, transformers and torchvision cut off what is left of a pixel
    where the shorter side is, and SAM's authors round it where the longer side is.
    """
    to = asked.resize_to or asked.size
    if asked.resize == "shortest side":
        side, rest = min(rows, columns), 0.0
    elif asked.resize == "longest side":
        side, rest = max(rows, columns), 0.5
    else:
        return to, to
    return max(1, int(to * rows / side + rest)), max(1, int(to * columns / side + rest))


class ToLevels(Transform):
    """The gray levels that are resized, in 8 bits where the network's authors had such pictures."""

    def __init__(self, asked: Preprocessing) -> None:
        self._asked = asked
        self._eight_bits = asked.eight_bits and asked.filter != "gaussian"

    def __call__(self, gray: Floats) -> Gray:
        """Shape (rows, columns); a square where the resize is of one."""
        levels: Gray = np.rint(gray * 255).astype(np.uint8) if self._eight_bits else gray
        if self._asked.resize == "central square":
            return gaussian_resize.central_square(levels)
        if self._asked.resize == "filled square":
            rows, columns = levels.shape
            side = max(self._asked.size, rows, columns)
            return _filled(levels, side, (side - rows) // 2, (side - columns) // 2)
        return levels


class ResizeGray(Transform):
    """By Pillow, in 8 bits or in floating point, or as scikit-image does."""

    def __init__(self, asked: Preprocessing) -> None:
        self._asked = asked

    def __call__(self, levels: Gray) -> Gray:
        """Shape (new rows, new columns), type as before."""
        rows, columns = resized_shape(levels.shape[0], levels.shape[1], self._asked)
        if self._asked.filter == "gaussian":
            beyond = -self._asked.low / (self._asked.high - self._asked.low)
            return gaussian_resize.resize(levels, rows, columns, beyond)
        picture = Image.fromarray(levels)
        return np.asarray(picture.resize((columns, rows), _FILTERS[self._asked.filter]))


class Stretch(Transform):
    """Least and greatest gray level to 0 and 1; an even image to 0."""

    def __call__(self, levels: Gray) -> Floats:
        """The same shape, float32 in [0, 1]."""
        floats = levels.astype(np.float32)
        low, high = floats.min(), floats.max()
        stretched: Floats = (floats - low) / np.maximum(high - low, _TINY)
        return stretched


class ToSquare(Transform):
    """Crops what is beyond the square's centre, and fills what lacks with 0."""

    def __init__(self, asked: Preprocessing) -> None:
        self._asked = asked

    def __call__(self, picture: Gray) -> Gray:
        """The square, shape (…, size, size), type as before."""
        size = self._asked.size
        top, left = (self._crop_at(length) for length in picture.shape[-2:])
        inside = picture[..., top : top + size, left : left + size]
        below, right = size - inside.shape[-2], size - inside.shape[-1]
        if not below and not right:
            return inside
        corner = self._asked.fill == "corner"
        return _filled(inside, size, 0 if corner else below // 2, 0 if corner else right // 2)

    def _crop_at(self, length: int) -> int:
        beyond = max(0, length - self._asked.size)
        return round(beyond / 2) if self._asked.crop == "to even" else beyond // 2


class ToChannels(Transform):
    """Range and statistics, the gray image in each channel."""

    def __init__(self, asked: Preprocessing) -> None:
        mean, std = np.array(asked.mean)[:, None, None], np.array(asked.std)[:, None, None]
        self._scale = (asked.high - asked.low) / std
        self._offset = ((asked.low - mean) / std).astype(np.float32)

    def __call__(self, picture: Gray) -> Floats:
        """Float32, shape (channels, rows, columns)."""
        scale = self._scale / 255 if picture.dtype == np.uint8 else self._scale
        # one multiplication and one addition: a new array for each step costs more than the sums
        channels: Floats = np.multiply(picture.astype(np.float32), scale.astype(np.float32))
        channels += self._offset
        return channels


def _filled(picture: Gray, side: int, top: int, left: int) -> Gray:
    square = np.zeros((*picture.shape[:-2], side, side), picture.dtype)
    square[..., top : top + picture.shape[-2], left : left + picture.shape[-1]] = picture
    return square
