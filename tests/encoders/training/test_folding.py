"""Folds follow from the patient and the seed alone."""

import hashlib

import numpy as np
import pytest

from encoders.training.folding import folds_of

NAMES = [f"patient {at}" for at in range(1000)]


def test_by_the_digest_s_first_eight_bytes() -> None:
    expected = [
        int.from_bytes(hashlib.sha256(f"7 {name}".encode()).digest()[:8], "big") % 5
        for name in NAMES
    ]
    assert folds_of(NAMES, 5, 7).tolist() == expected


def test_whoever_else_takes_part() -> None:
    whole = dict(zip(NAMES, folds_of(NAMES, 4, 0).tolist(), strict=True))
    some = NAMES[10:500:7][::-1]
    assert folds_of(some, 4, 0).tolist() == [whole[name] for name in some]


def test_images_of_one_patient_are_of_one_fold() -> None:
    found = folds_of([name for name in NAMES[:50] for _ in range(3)], 3, 1)
    np.testing.assert_array_equal(found, np.repeat(folds_of(NAMES[:50], 3, 1), 3))


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_about_as_many_are_of_each(folds: int) -> None:
    counts = np.bincount(folds_of(NAMES, folds, 3), minlength=folds)
    # four standard deviations of a binomial draw
    spread = 4 * np.sqrt(len(NAMES) * (1 / folds) * (1 - 1 / folds))
    assert np.abs(counts - len(NAMES) / folds).max() < spread


def test_another_seed_draws_anew() -> None:
    assert not np.array_equal(folds_of(NAMES, 5, 0), folds_of(NAMES, 5, 1))


def test_nobody_has_no_fold() -> None:
    assert folds_of([], 5, 0).shape == (0,)
