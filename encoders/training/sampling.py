"""Which images stand in which batch of an epoch, by lot: the same for the same seed and epoch."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from encoders.training.examples import Positions
from encoders.training.fault import TrainingError


def undersampled(positive: NDArray[np.bool_], seed: int) -> Positions:
    """All positives and as many negatives, by lot; all negatives where there are fewer.

    Args:
        positive: shape (images,).
        seed: of the lot.

    Raises:
        TrainingError: there is no positive, or no negative.
    """
    yes, no = np.flatnonzero(positive), np.flatnonzero(~positive)
    if not len(yes) or not len(no):
        raise TrainingError(
            f"{len(yes)} images have the label and {len(no)} have not; both kinds are needed"
        )
    drawn = np.random.default_rng(seed).permutation(no)[: len(yes)]
    return np.sort(np.concatenate([yes, drawn]))


@dataclass
class Shuffled(Sampler[list[int]]):
    """Batches of images by lot, each image once in an epoch.

    A last batch of a single image is left out where there are others: norms over a batch need two.

    Attributes:
        count: images.
        batch: of a step.
        seed: of the lot.
        epoch: from 0; whoever loads sets it.
    """

    count: int
    batch: int
    seed: int
    epoch: int = 0

    def __iter__(self) -> Iterator[list[int]]:
        drawn = np.random.default_rng([self.seed, self.epoch]).permutation(self.count)
        for at in range(0, len(self) * self.batch, self.batch):
            yield drawn[at : at + self.batch].tolist()

    def __len__(self) -> int:
        whole, rest = divmod(self.count, self.batch)
        return whole + (rest > 1 or (rest == 1 and not whole))


@dataclass
class OfEachClass(Sampler[list[int]]):
    """Batches of P classes with K images of each (Hermans et al. 2017, "PK").

    An epoch has as many batches as there are images by so many. A class with fewer than K images
    shows some of them more than once in a batch.

    Attributes:
        places: of each class's images.
        classes: P.
        per_class: K.
        seed: of the lot.
        epoch: from 0; whoever loads sets it.

    Raises:
        TrainingError: there are fewer classes than P, or one is empty.
    """

    places: list[Positions]
    classes: int
    per_class: int
    seed: int
    epoch: int = 0

    def __post_init__(self) -> None:
        empty = sum(not len(some) for some in self.places)
        if len(self.places) < self.classes or empty:
            raise TrainingError(
                f"batches of {self.classes} classes cannot be made of {len(self.places)}, "
                f"{empty} of which are empty"
            )

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng([self.seed, self.epoch])
        for _ in range(len(self)):
            chosen = random.choice(len(self.places), self.classes, replace=False)
            yield np.concatenate([self._some(at, random) for at in chosen]).tolist()

    def __len__(self) -> int:
        return max(1, sum(map(len, self.places)) // (self.classes * self.per_class))

    def _some(self, at: int, random: np.random.Generator) -> Positions:
        there = self.places[at]
        return random.choice(there, self.per_class, replace=len(there) < self.per_class)
