"""Who is trained on, who chooses the epoch that is kept, and who is asked at the end."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.training.examples import Examples, Positions
from encoders.training.fault import TrainingError
from encoders.training.folding import folds_of

TRAIN, VALIDATION, TEST = "train", "val", "test"


@dataclass(frozen=True)
class Split:
    """Places of images in their set, each in one part.

    Attributes:
        train: of those that are learned.
        validation: of those that choose the epoch; may be empty.
        test: of those that nothing is chosen by; may be empty.
        rule: how they were parted, in words.
    """

    train: Positions
    validation: Positions
    test: Positions
    rule: str


def by_patient(examples: Examples, parts: Sequence[float], seed: int) -> Split:
    """Patients by lot, all images of one in the same part.

    Raises:
        TrainingError: there are fewer patients than parts, or no part for training.
    """
    return _by_group(examples, np.array(examples.patients), "patients", parts, seed)


def by_image(examples: Examples, parts: Sequence[float], seed: int) -> Split:
    """Images by lot, as paper 1 parts them: a patient may stand in two parts, and be known again.

    Raises:
        TrainingError: there are fewer images than parts, or no part for training.
    """
    return _by_group(examples, np.array(examples.ids), "images", parts, seed)


def official(examples: Examples) -> Split:
    """As the set's makers part it.

    Raises:
        TrainingError: they do not, nobody is to be trained on, or an image stands in another part.
    """
    parts = np.array(examples.splits, dtype=np.str_)
    unknown = sorted(set(examples.splits) - {TRAIN, VALIDATION, TEST})
    found = [np.flatnonzero(parts == name) for name in (TRAIN, VALIDATION, TEST)]
    if not len(found[0]):
        raise TrainingError(
            f"{examples.name} has no split of its own (a column `split` of train, val, test); "
            "choose --split patient"
        )
    if unknown:
        raise TrainingError(
            f"{examples.name}: column `split` holds {', '.join(map(repr, unknown))} beside train, "
            "val and test; name one of these for each image"
        )
    return Split(found[0], found[1], found[2], "as the set's makers part it")


def fold(examples: Examples, folds: int, number: int, seed: int, validation: float) -> Split:
    """One of several folds of patients is the test; of the others, a part chooses the epoch.

    Args:
        examples: the set.
        folds: how many, at least 2.
        number: of the fold, from 0.
        seed: of the lot; the same for every fold. A patient's fold follows from it and from the
            patient's name alone (``encoders.training.folding``).
        validation: part of the other patients; at least one, unless it is 0.

    Raises:
        TrainingError: there are fewer patients than folds, there is no such fold, nobody is of it,
            or nobody is left to be trained on.
    """
    names = np.unique(np.array(examples.patients))
    if not (folds >= 2 and 0 <= number < folds and len(names) >= folds):
        raise TrainingError(f"fold {number} of {folds} cannot be made of {len(names)} patients")
    asked = names[folds_of(names.tolist(), folds, seed) == number]
    if not len(asked):
        raise TrainingError(
            f"of the {len(names)} patients of {examples.name} the lot puts none in fold {number} "
            f"of {folds}; take fewer folds, or another --seed"
        )
    others = np.random.default_rng([seed, number]).permutation(np.setdiff1d(names, asked))
    choosing = others[: max(1, round(validation * len(others)))] if validation else others[:0]
    if len(choosing) >= len(others):
        raise TrainingError(
            f"of {len(others)} patients beside the fold's, {len(choosing)} choose the epoch and "
            "none is left to learn from; take more folds, or a smaller validation part"
        )
    patients = np.array(examples.patients)
    test, val = np.isin(patients, asked), np.isin(patients, choosing)
    return Split(
        np.flatnonzero(~test & ~val),
        np.flatnonzero(val),
        np.flatnonzero(test),
        f"fold {number + 1} of {folds} by patient, seed {seed}",
    )


def _by_group(
    examples: Examples, groups: NDArray[np.str_], what: str, parts: Sequence[float], seed: int
) -> Split:
    if min(parts) < 0 or not parts[0]:
        raise TrainingError(f"parts {list(parts)} leave nobody to learn from")
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    wanted = [part for part in parts if part]
    if len(names) < len(wanted):
        raise TrainingError(
            f"{examples.name} has {len(names)} {what}, too few for {len(wanted)} parts"
        )
    counts = _counts(len(names), parts)
    bounds = np.cumsum([len(names) - sum(counts), *counts])[:-1]
    places = [np.flatnonzero(np.isin(groups, some)) for some in np.split(names, bounds)]
    share = " / ".join(f"{part:g}" for part in parts)
    return Split(places[0], places[1], places[2], f"{what} by lot, {share}, seed {seed}")


def _counts(total: int, parts: Sequence[float]) -> list[int]:
    """Of validation and test: at least one for each part that is wanted, the rest to training."""
    counts = [max(1, round(part / sum(parts) * total)) if part else 0 for part in parts[1:]]
    while sum(counts) >= total:  # small sets, rounded up: somebody must be learned from
        counts[counts.index(max(counts))] -= 1
    return counts
