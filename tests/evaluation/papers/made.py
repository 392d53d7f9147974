"""Small collections in the form that the papers' tables want."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluation.collection import NEGATIVE, POSITIVE, UNCERTAIN, Collection
from evaluation.evaluating import System
from evaluation.readers import chest_imagenome, chestx_ray14, chexpert


def collection(
    labels: Sequence[str],
    states: np.ndarray,
    *,
    patients: Sequence[int] | None = None,
    splits: Sequence[str] = (),
    views: Sequence[str] = (),
    weights: Sequence[float] = (),
    paths: Sequence[Path] = (),
) -> Collection:
    count = len(states)
    whose = range(count) if patients is None else patients
    return Collection(
        name="made",
        ids=tuple(f"i{at}" for at in range(count)),
        patients=tuple(f"p{one}" for one in whose),
        label_names=tuple(labels),
        states=states.astype(np.int8),
        attributes={"view": np.array(views)} if views else {},
        numbers={"weight": np.array(weights, np.float64)} if len(weights) else {},
        splits=tuple(splits),
        paths=tuple(paths),
    )


def thirds(count: int) -> list[str]:
    """Half of the images train, a quarter validate, a quarter test."""
    return [("train", "val", "train", "test")[at % 4] for at in range(count)]


def radiographs(count: int = 240, *, seed: int = 0, splits: bool = True) -> Collection:
    """As ChestX-ray14: a third without finding, the others with one or two of fourteen."""
    random = np.random.default_rng(seed)
    labels = chestx_ray14.LABELS
    states = np.full((count, len(labels)), NEGATIVE)
    for at in range(count):
        if at % 3:
            states[at, random.integers(0, len(labels), random.integers(1, 3))] = POSITIVE
    return collection(labels, states, splits=thirds(count) if splits else ())


def uncertain_radiographs(count: int = 120) -> Collection:
    """As CheXpert."""
    random = np.random.default_rng(1)
    labels = chexpert.LABELS
    states = random.choice(
        [POSITIVE, NEGATIVE, UNCERTAIN], (count, len(labels)), p=[0.15, 0.8, 0.05]
    )
    return collection(labels, states, splits=thirds(count))


def regions(count: int = 120) -> Collection:
    """As MIMIC-CXR-JPG with the findings of Chest ImaGenome; every fifth image is lateral."""
    random = np.random.default_rng(2)
    labels = chest_imagenome.FINDINGS
    states = np.where(random.random((count, len(labels))) < 0.3, POSITIVE, NEGATIVE)
    views = ["LATERAL" if at % 5 == 0 else ("AP", "PA")[at % 2] for at in range(count)]
    patients = [at // 2 for at in range(count)]
    return collection(labels, states, patients=patients, splits=["test"] * count, views=views)


def systems_of(made: Collection) -> tuple[System, System]:
    """One that knows the labels in part, and one that knows nothing."""
    random = np.random.default_rng(3)
    known = (
        np.where(made.states == POSITIVE, 1.0, 0.0)
        if made.label_names
        else np.zeros((len(made), 1))
    )
    noisy = np.concatenate([known, np.ones((len(made), 1))], axis=1)
    noisy = noisy + random.normal(0, 0.3, noisy.shape)
    return (
        System("knows", noisy.astype(np.float32)),
        System("random", random.standard_normal((len(made), 16)).astype(np.float32)),
    )
