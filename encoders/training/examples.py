"""What is trained on: images with what a network is to tell of each, in columns."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders.training.fault import TrainingError

Positions = NDArray[np.int64]
Targets = NDArray[np.float32]
Known = NDArray[np.bool_]
Boxes = NDArray[np.float32]
"""Left, top, width and height of each region, as parts of the image's width and height."""


@dataclass(frozen=True)
class Taught:
    """What is learned beside the targets, and nobody asks for afterwards.

    Attributes:
        names: of what is told.
        targets: float32, shape (images, names): 1 and 0, or numbers; 0 where not known.
        known: shape (images, names).
        numbers: how many of them, the last ones, are numbers.
    """

    names: tuple[str, ...]
    targets: Targets
    known: Known
    numbers: int

    def take(self, at: Positions) -> "Taught":
        """Of the images at these positions."""
        return replace(self, targets=self.targets[at], known=self.known[at])


@dataclass(frozen=True)
class Examples:
    """Images and targets; every column has one entry for each image.

    Attributes:
        name: of the set, for people.
        ids: unique.
        paths: the image files.
        patients: who must not stand in two parts.
        outputs: names of the targets: labels, classes, or the number.
        targets: float32, shape (images, outputs): 1 and 0, or the number; 0 where not known.
        known: shape (images, outputs): whether a target says anything.
        splits: ``train``, ``val`` or ``test`` as the set's makers have it; or empty.
        boxes: shape (images, regions, 4), or None where regions are found without.
        findings: what was seen in which region, bool, shape (images, regions, findings); None where
            nobody told.
        taught: what is learned beside the targets; None for nothing.
        notes: what was left out, in sentences.
    """

    name: str
    ids: tuple[str, ...]
    paths: tuple[Path, ...]
    patients: tuple[str, ...]
    outputs: tuple[str, ...]
    targets: Targets
    known: Known
    splits: tuple[str, ...] = ()
    boxes: Boxes | None = None
    findings: Known | None = None
    taught: Taught | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Checks the columns against each other.

        Raises:
            TrainingError: a column has another length or shape, or a target is not finite.
        """
        shape = (len(self.ids), len(self.outputs))
        lengths = {len(self.paths), len(self.patients), len(self.splits) or len(self.ids)}
        if lengths != {len(self.ids)}:
            raise TrainingError(f"{self.name}: columns of {sorted(lengths)} for {shape[0]} images")
        if self.targets.shape != shape or self.known.shape != shape:
            raise TrainingError(f"{self.name}: targets of shape {self.targets.shape}, not {shape}")
        if not np.isfinite(self.targets).all():
            raise TrainingError(f"{self.name}: a target is not finite; mark it as not known")
        if self.boxes is not None and self.boxes.shape[::2] != (len(self.ids), 4):
            raise TrainingError(f"{self.name}: boxes of shape {self.boxes.shape}")

    def all_outputs(self) -> tuple[str, ...]:
        """The targets' names, then those of what is taught beside them."""
        return self.outputs if self.taught is None else (*self.outputs, *self.taught.names)

    def all_targets(self) -> tuple[Targets, Known]:
        """Targets and what is taught beside them, side by side, and what is known of each."""
        if self.taught is None:
            return self.targets, self.known
        return (
            np.concatenate([self.targets, self.taught.targets], axis=1),
            np.concatenate([self.known, self.taught.known], axis=1),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, at: Positions) -> "Examples":
        """The images at these positions, in this order."""
        return replace(
            self,
            ids=tuple(self.ids[one] for one in at),
            paths=tuple(self.paths[one] for one in at),
            patients=tuple(self.patients[one] for one in at),
            targets=self.targets[at],
            known=self.known[at],
            splits=tuple(self.splits[one] for one in at) if self.splits else (),
            boxes=None if self.boxes is None else self.boxes[at],
            findings=None if self.findings is None else self.findings[at],
            taught=None if self.taught is None else self.taught.take(at),
        )
