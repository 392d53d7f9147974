"""Splits by patient: shares, strata, repeatability, and what is refused."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.collection import Collection, CollectionError
from evaluation.probing.splits import patient_wise, shared_patients, split_positions, with_splits

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}


def collection(patients: list[str], splits: list[str]) -> Collection:
    count = len(patients)
    return Collection(
        name="made",
        ids=tuple(f"i{at}" for at in range(count)),
        patients=tuple(patients),
        label_names=(),
        states=np.empty((count, 0), np.int8),
        splits=tuple(splits),
    )


@settings(deadline=None, max_examples=80)
@given(
    images=st.integers(30, 300),
    patients=st.integers(30, 200),
    strata=st.sampled_from([0, 2, 5]),
    seed=st.integers(0, 1000),
)
def test_no_patient_is_in_two_and_shares_are_kept(
    images: int, patients: int, strata: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    # each patient has an image at least
    whose = np.concatenate([np.arange(patients), random.integers(0, patients, images)])
    codes = random.integers(0, strata, len(whose)) if strata else None
    found = patient_wise(whose, SHARES, seed=seed, strata=codes)
    split_of = dict(zip(whose, found, strict=True))
    assert all(split_of[patient] == split for patient, split in zip(whose, found, strict=True))
    counts = Counter(split_of.values())
    for split, share in SHARES.items():
        assert abs(counts[split] - share * patients) <= 1


def test_each_stratum_has_its_share() -> None:
    strata = np.repeat([0, 1], [900, 100])
    found = np.array(patient_wise(np.arange(1000), SHARES, seed=3, strata=strata))
    for stratum, count in ((0, 900), (1, 100)):
        for split, share in SHARES.items():
            assert abs((found[strata == stratum] == split).sum() - share * count) <= 1


def test_a_patients_stratum_is_that_of_most_images() -> None:
    # patients 0 and 1 are mostly of stratum 1, patients 2 and 3 of stratum 0: each stratum is cut
    patients = np.array([0, 0, 0, 1, 1, 1, 2, 3])
    strata = np.array([1, 1, 0, 1, 0, 1, 0, 0])
    for seed in range(10):
        found = patient_wise(patients, {"a": 0.5, "b": 0.5}, seed=seed, strata=strata)
        split_of = dict(zip(patients.tolist(), found, strict=True))
        assert {split_of[0], split_of[1]} == {split_of[2], split_of[3]} == {"a", "b"}


def test_repeated_by_seed() -> None:
    whose = np.arange(100)
    first = patient_wise(whose, SHARES, seed=1)
    assert first == patient_wise(whose, SHARES, seed=1)
    assert first != patient_wise(whose, SHARES, seed=2)


@pytest.mark.parametrize("shares", [{}, {"a": 0.5}, {"a": 1.0, "b": 0.0}, {"a": 1.2, "b": -0.2}])
def test_shares_that_are_none(shares: Mapping[str, float]) -> None:
    with pytest.raises(ValueError, match="make 1 together"):
        patient_wise(np.arange(5), shares)


def test_too_few_patients() -> None:
    with pytest.raises(CollectionError, match="2 patients are too few: none is left for split"):
        patient_wise(np.array([0, 0, 1, 1]), SHARES)


def test_splits_are_made_only_where_there_are_none_and_they_may_be() -> None:
    patients = [f"p{at // 2}" for at in range(40)]
    bare = collection(patients, [])
    assert with_splits(bare, make=False) == (bare, "the collection's own splits")
    told = collection(patients, ["train"] * 40)
    assert with_splits(told, make=True) == (told, "the collection's own splits")
    made, how = with_splits(bare, make=True, seed=3)
    assert how == "Splits are drawn by patient (0.8 train, 0.1 val, 0.1 test), seed 3."
    assert Counter(made.splits) == {"train": 32, "val": 4, "test": 4}
    assert shared_patients(made, ("train", "val", "test")) == []


def test_positions_of_splits() -> None:
    made = collection(["p", "q", "r", "p"], ["train", "test", "val", "train"])
    train, test = split_positions(made, ("train", "test"))
    assert (train.tolist(), test.tolist()) == ([0, 3], [1])


def test_patients_in_two_splits_are_counted_and_refused() -> None:
    made = collection(["p", "q", "p", "q", "r"], ["train", "train", "test", "val", "test"])
    assert shared_patients(made, ("train", "test")) == ["p"]
    with pytest.raises(CollectionError, match="2 patients are in more than one of the splits"):
        split_positions(made, ("train", "val", "test"))
    train, _, _ = split_positions(made, ("train", "val", "test"), may_share=True)
    assert train.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("splits", "message"),
    [([], "tells no splits"), (["train", "dev"], "no images in split 'test', but dev, train")],
)
def test_splits_that_are_lacking(splits: list[str], message: str) -> None:
    with pytest.raises(CollectionError, match=message):
        split_positions(collection(["p", "q"], splits), ("train", "test"))
