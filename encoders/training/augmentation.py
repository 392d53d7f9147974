"""What is changed of an image by lot while a network learns, as MONAI transforms."""

from collections.abc import Callable

import numpy as np
import torch
from monai.transforms.compose import Compose
from monai.transforms.intensity.array import RandAdjustContrast, RandGaussianNoise
from monai.transforms.spatial.array import RandAffine, RandFlip
from monai.transforms.transform import Randomizable, Transform
from torch import Tensor

from encoders.training.recipe import Augmentation

Augment = Callable[[Tensor, int], Tensor]
"""From gray levels in [0, 1], shape (1, size, size), and the lot's number, to the same shape."""

_ERASED = 0.2


def augmentation_of(asked: Augmentation, size: int) -> Augment:
    """Changes as a recipe tells them; the same image and number give the same to the last bit.

    Args:
        asked: by the recipe.
        size: of the image's side, pixels.
    """
    steps: list[Transform] = []
    if asked.flip:
        steps.append(RandFlip(prob=asked.flip, spatial_axis=1))
    if asked.rotate or asked.translate or asked.scale < 1:
        zoom = (0.0, 0.0) if asked.scale == 1 else (asked.scale - 1, 0.0)
        shift = asked.translate * size
        steps.append(
            RandAffine(
                prob=1.0,
                rotate_range=np.deg2rad(asked.rotate),
                translate_range=(shift, shift),
                scale_range=(zoom, zoom),
                mode="bilinear",
                padding_mode="zeros",
                cache_grid=True,
                spatial_size=(size, size),
            )
        )
    if asked.gamma:
        steps.append(RandAdjustContrast(prob=1.0, gamma=(1 / (1 + asked.gamma), 1 + asked.gamma)))
    if asked.noise:
        steps.append(RandGaussianNoise(prob=1.0, std=asked.noise, sample_std=False))
    if asked.erase:
        steps.append(_Erase(asked.erase))
    whole = Compose(steps)

    def augment(gray: Tensor, number: int) -> Tensor:
        if not steps:
            return gray
        whole.set_random_state(number)
        return torch.as_tensor(whole(gray)).as_subclass(Tensor).clamp(0, 1)

    return augment


class _Erase(Randomizable, Transform):
    """One rectangle of up to a fifth of each side is made even."""

    def __init__(self, probability: float) -> None:
        self._probability = probability

    def __call__(self, gray: Tensor) -> Tensor:
        """Shape (1, size, size)."""
        size = gray.shape[-1]
        if self.R.random() >= self._probability:
            return gray
        high, wide = (self.R.uniform(0.05, _ERASED, 2) * size).astype(int)
        top, left = self.R.randint(size - high + 1), self.R.randint(size - wide + 1)
        erased = gray.clone()
        erased[..., top : top + high, left : left + wide] = float(gray.mean())
        return erased
