"""Splits by patient: what is trained on, chosen by and tested with never shares a patient."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from evaluation.collection import SHOWN, Codes, Collection, CollectionError, Positions, codes_of

SHARES: Mapping[str, float] = MappingProxyType({"train": 0.8, "val": 0.1, "test": 0.1})
"""Of patients, where splits are made."""


def with_splits(collection: Collection, *, make: bool, seed: int = 0) -> tuple[Collection, str]:
    """The collection with splits: its own, or else by patient where they may be made; and a word.

    Args:
        collection: the images.
        make: splits may be made where it has none.
        seed: of the lot.

    Raises:
        CollectionError: there are fewer patients than splits.
    """
    if collection.splits or not make:
        return collection, "the collection's own splits"
    splits = patient_wise(collection.patient_codes(), SHARES, seed=seed)
    shares = ", ".join(f"{share:g} {name}" for name, share in SHARES.items())
    return replace(
        collection, splits=splits
    ), f"Splits are drawn by patient ({shares}), seed {seed}."


def patient_wise(
    patients: Codes, shares: Mapping[str, float], *, seed: int = 0, strata: Codes | None = None
) -> tuple[str, ...]:
    """A split for each image, all images of a patient in the same.

    Patients are taken by lot, and each goes to the split that is furthest behind its share. With
    strata they are taken one stratum after the other, so that each split has its share of each.

    Args:
        patients: one number for each image.
        shares: of the patients, by the split's name; together 1.
        seed: of the lot.
        strata: one number for each image, such as its class; a patient's is that of most of his
            images, the lowest of several.

    Raises:
        CollectionError: there are fewer patients than a split needs to have one.
        ValueError: the shares are not above 0, or do not make 1 together.
    """
    parts = np.array(list(shares.values()))
    if not (len(parts) and (parts > 0).all() and abs(parts.sum() - 1) < 1e-9):
        raise ValueError(f"shares are above 0 and make 1 together, these are {dict(shares)}")
    whose = codes_of(patients)
    count = int(whose.max()) + 1
    order = np.random.default_rng(seed).permutation(count)
    if strata is not None:
        order = order[np.argsort(_most_common(whose, strata)[order], kind="stable")]
    split_of = np.empty(count, np.int64)
    given = np.zeros(len(parts))
    for at, patient in enumerate(order, start=1):
        split_of[patient] = (parts * at - given).argmax()
        given[split_of[patient]] += 1
    names = tuple(shares)
    if not given.all():
        lacking = names[int(given.argmin())]
        raise CollectionError(f"{count} patients are too few: none is left for split {lacking!r}")
    return tuple(names[split_of[patient]] for patient in whose)


def split_positions(
    collection: Collection, names: Sequence[str], *, may_share: bool = False
) -> tuple[Positions, ...]:
    """The images of each of these splits.

    Args:
        collection: the images.
        names: of splits.
        may_share: patients may be in several of them (some papers split by image).

    Raises:
        CollectionError: there are no splits, one of these has no images, or a patient is in two of
            them; the message counts such patients.
    """
    if not collection.splits:
        raise CollectionError(
            f"{collection.name} tells no splits, {', '.join(names)} are needed: let them be "
            "drawn by patient (--make-splits), or name them in the list of its images"
        )
    own = np.array(collection.splits)
    found = tuple(np.flatnonzero(own == name) for name in names)
    for name, some in zip(names, found, strict=True):
        if not len(some):
            there = ", ".join(sorted(set(collection.splits) - {""})) or "none"
            raise CollectionError(
                f"{collection.name} has no images in split {name!r}, but {there}: name the split "
                "of each image in the list of its images"
            )
    if not may_share:
        refuse_shared(collection, names)
    return found


def refuse_shared(collection: Collection, names: Sequence[str]) -> None:
    """Refuses splits that share patients: an answer could be known from another image of his.

    Raises:
        CollectionError: they do; the message counts the patients.
    """
    shared = shared_patients(collection, names)
    if shared:
        some = ", ".join(shared[:SHOWN])
        raise CollectionError(
            f"{collection.name}: {len(shared)} patients are in more than one of the splits "
            f"{', '.join(names)}, such as {some}: split by patient"
        )


def shared_patients(collection: Collection, names: Sequence[str]) -> list[str]:
    """Patients who are in more than one of these splits, in alphabetical order."""
    wanted = set(names)
    pairs = {
        (patient, split)
        for patient, split in zip(collection.patients, collection.splits, strict=True)
        if split in wanted
    }
    counts = Counter(patient for patient, _ in pairs)
    return sorted(patient for patient, count in counts.items() if count > 1)


def _most_common(patients: Codes, strata: Codes) -> NDArray[np.int64]:
    """Each patient's stratum, shape (patients,)."""
    kinds = codes_of(strata)
    pairs, images = np.unique(np.stack([patients, kinds]), axis=1, return_counts=True)
    # the greatest count first, then the lowest stratum; the first row of each patient is taken
    order = np.lexsort((pairs[1], -images, pairs[0]))
    _, first = np.unique(pairs[0][order], return_index=True)
    return np.asarray(pairs[1][order][first])
