"""Images as a network takes them while it learns: read once, changed by lot each time."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from encoders.preprocessing import Preprocessing
from encoders.regions.crops import RegionError
from encoders.training.augmentation import Augment
from encoders.training.examples import Examples
from encoders.training.fault import TrainingError
from encoders.transforms import transforms_of

Read = Callable[[Path], NDArray[np.float32]]
"""From an image file to gray levels in [0, 1], shape (rows, columns)."""
Item = tuple[Tensor, Tensor, Tensor, int]
"""Input, targets, known, and the image's place."""

ENOUGH = 1_000_000_000
"""Bytes of gray levels that are kept in memory; beyond them files are read again."""


@dataclass
class Images(Dataset[Item]):
    """The images of a set.

    Attributes:
        examples: the set.
        read: of a file.
        asked: what the network is to see.
        augment: changes by lot.
        seed: of the lot.
        epoch: from 0; whoever loads sets it. Every epoch has changes of its own, always the same.
    """

    examples: Examples
    read: Read
    asked: Preprocessing
    augment: Augment
    seed: int
    epoch: int = 0
    _kept: dict[int, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.asked.fill_last:
            raise TrainingError("fill_last: a network of one's own needs no filling after")
        self._gray = transforms_of(replace(self.asked, mean=(0.0,), std=(1.0,), low=0.0, high=1.0))
        self._targets, self._told = self.examples.all_targets()
        beside = self.asked.descriptor
        planes = (self.asked.channels - beside) // len(self.asked.mean) + beside
        self._most = ENOUGH // (4 * planes * self.asked.size**2)
        low, high = self.asked.low, self.asked.high
        mean = torch.tensor(self.asked.mean)[None, :, None, None]
        std = torch.tensor(self.asked.std)[None, :, None, None]
        self._factor, self._offset = (high - low) / std, (low - mean) / std

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def all_kept(self) -> bool:
        """Whether all images stay in memory once they were read."""
        return len(self) <= self._most

    def __getitem__(self, at: int) -> Item:
        number = np.random.SeedSequence([self.seed, self.epoch, at]).generate_state(1)[0]
        # the descriptor is of the image as it is: it would take longer than all changes
        whole = self._gray_of(at)
        unchanged = len(whole) - self.asked.descriptor
        gray = self.augment(whole[:unchanged], int(number))
        targets, known = torch.from_numpy(self._targets[at]), torch.from_numpy(self._told[at])
        # each region's gray crop, or the one of the whole image, becomes all of its channels
        channels = (gray[:, None] * self._factor + self._offset).flatten(0, 1)
        return torch.cat([channels, whole[unchanged:]]), targets, known, at

    def _gray_of(self, at: int) -> Tensor:
        kept = self._kept.get(at)
        if kept is None:
            kept = self._transformed(at)
            if len(self._kept) < self._most:
                self._kept[at] = kept
        return kept

    def _transformed(self, at: int) -> Tensor:
        pixels = self.read(self.examples.paths[at])
        if not self.asked.regions:
            return self._gray(pixels)
        boxes = None if self.examples.boxes is None else self.examples.boxes[at]
        try:
            return self._gray(pixels, boxes)
        except RegionError as fault:
            raise TrainingError(f"{self.examples.paths[at]}: {fault}") from fault
