"""Batches of images for each epoch, the same for the same seed and epoch."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from encoders.preprocessing import Preprocessing
from encoders.training.augmentation import augmentation_of
from encoders.training.examples import Examples
from encoders.training.fault import TrainingError
from encoders.training.reading import Images, Item, Read
from encoders.training.recipe import Recipe, Schedule
from encoders.training.sampling import OfEachClass, Shuffled

MOST_WORKERS = 8
_OF_WORKERS = "Caught "
"""So torch begins what it says of a process that reads."""
Batch = tuple[Tensor, Tensor, Tensor, Tensor]
"""Inputs, targets, known, and the images' places."""


@dataclass(frozen=True)
class Feed:
    """Where a learner's batches come from.

    Attributes:
        recipe: how they are made.
        training: images that are learned.
        validation: images that choose the epoch.
        read: of a file.
        seed: of all lots.
    """

    recipe: Recipe
    training: Examples
    validation: Examples
    read: Read
    seed: int
    _sets: dict[str, Images] = field(default_factory=dict)

    @property
    def has_validation(self) -> bool:
        """Whether images are kept apart to choose the epoch."""
        return len(self.validation) > 0

    def of_epoch(self, epoch: int) -> DataLoader[Item]:
        """Training batches of an epoch, from 0."""
        images = self._images("training")
        images.epoch = epoch
        sampler = sampler_of(self.recipe.schedule, self.training, self.seed, epoch)
        return DataLoader(images, batch_sampler=sampler, num_workers=workers_for(images))

    def validating(self) -> DataLoader[Item]:
        """Validation batches, every image once, as it is."""
        images = self._images("validation")
        return DataLoader(
            images, batch_size=max(2, self.recipe.schedule.batch), num_workers=workers_for(images)
        )

    def _images(self, name: str) -> Images:
        if name not in self._sets:
            learned = name == "training"
            asked: Preprocessing = self.recipe.preprocessing
            changes = self.recipe.augmentation if learned else type(self.recipe.augmentation)()
            self._sets[name] = Images(
                self.training if learned else self.validation,
                self.read,
                asked,
                augmentation_of(changes, asked.size),
                self.seed,
            )
        return self._sets[name]


def sampler_of(schedule: Schedule, learned: Examples, seed: int, epoch: int) -> Sampler[list[int]]:
    """Which images stand in which batch.

    Raises:
        TrainingError: batches of each class cannot be made.
    """
    if not schedule.classes_per_batch:
        return Shuffled(len(learned), schedule.batch, seed, epoch)
    classes = learned.targets.argmax(axis=1)
    places = [
        np.flatnonzero((classes == at) & learned.known.all(axis=1))
        for at in range(len(learned.outputs))
    ]
    return OfEachClass(
        [some for some in places if len(some)],
        schedule.classes_per_batch,
        schedule.per_class,
        seed,
        epoch,
    )


def workers_for(images: Images) -> int:
    """Processes that read: none where all images stay in memory after the first epoch."""
    if images.all_kept:
        return 0
    return min(MOST_WORKERS, max(1, len(os.sched_getaffinity(0)) - 1))


@contextmanager
def plainly() -> Iterator[None]:
    """A fault of a process that reads is told as it was there, without that process's traceback.

    Raises:
        ValueError: what a process raised, of the same kind.
    """
    try:
        yield
    except ValueError as fault:
        kind, said = type(fault), str(fault)
        _, ours, message = said.rpartition(f"\n{kind.__module__}.{kind.__qualname__}: ")
        if not (ours and said.startswith(_OF_WORKERS)):
            raise
        raise kind(message.strip()) from fault


def must_be_trainable(learned: Examples, recipe: Recipe) -> None:
    """Checks that there is something to learn.

    Raises:
        TrainingError: there is no image; a label has no positive, or no negative, or all are of one
            class, among those that are learned.
    """
    if not len(learned):
        raise TrainingError(f"{learned.name}: no image is left to learn from")
    if recipe.targets.aim == "number":
        return
    if recipe.targets.aim == "class":
        there = np.flatnonzero(((learned.targets > 0.5) & learned.known).any(axis=0))
        if len(there) < 2:
            names = ", ".join(learned.outputs[at] for at in there) or "no class"
            raise TrainingError(
                f"{learned.name}: only {names} is among the {len(learned)} images to learn "
                "from, and two classes are needed; bring more images, or another --seed"
            )
        return
    positive = (learned.targets > 0.5) & learned.known
    negative = (learned.targets <= 0.5) & learned.known
    faults = [
        f"{name} has {'no negative' if yes.any() else 'no positive'} image"
        for name, yes, no in zip(learned.outputs, positive.T, negative.T, strict=True)
        if not (yes.any() and no.any())
    ]
    if faults:
        raise TrainingError(
            f"{learned.name}: {'; '.join(faults)} among the {len(learned)} to learn from; "
            "name other labels (--target), or bring more images"
        )


def as_tensors(learned: Examples) -> tuple[Tensor, Tensor]:
    """All that is learned, and what is known of it, shape (images, outputs) each."""
    targets, known = learned.all_targets()
    return torch.from_numpy(targets), torch.from_numpy(known)
