import hashlib
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from encoders.training.examples import Examples
from encoders.training.fault import TrainingError
from encoders.training.splitting import Split, by_image, by_patient, fold, official

PARTS = (0.6, 0.3, 0.1)


def examples(patients: list[str], splits: tuple[str, ...] = ()) -> Examples:
    ids = tuple(f"image {at}" for at in range(len(patients)))
    return Examples(
        name="the set",
        ids=ids,
        paths=tuple(Path(one) for one in ids),
        patients=tuple(patients),
        outputs=("label",),
        targets=np.zeros((len(ids), 1), np.float32),
        known=np.ones((len(ids), 1), np.bool_),
        splits=splits,
    )


def several(patients: int, seed: int = 0) -> Examples:
    """Of each patient one to five images, in no order."""
    random = np.random.default_rng(seed)
    names = np.repeat([f"p{at}" for at in range(patients)], random.integers(1, 6, patients))
    return examples(random.permutation(names).tolist())


def patients_of(found: Split, given: Examples) -> list[set[str]]:
    parts = (found.train, found.validation, found.test)
    return [{given.patients[at] for at in part} for part in parts]


def whole(found: Split, given: Examples) -> bool:
    every = list(chain(found.train, found.validation, found.test))
    return sorted(every) == list(range(len(given)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("patients", [3, 4, 10, 57])
def test_no_patient_stands_in_two_parts_and_every_image_in_one(patients: int, seed: int) -> None:
    given = several(patients, seed)
    found = by_patient(given, PARTS, seed)
    assert whole(found, given)
    train, validation, test = patients_of(found, given)
    assert len(train | validation | test) == len(train) + len(validation) + len(test)
    assert min(map(len, (train, validation, test))) >= 1


@pytest.mark.parametrize(
    ("patients", "parts", "sizes"),
    [
        (100, PARTS, [60, 30, 10]),
        (100, (6, 3, 1), [60, 30, 10]),
        (7, (0.7, 0.15, 0.15), [5, 1, 1]),
        (3, (0.98, 0.01, 0.01), [1, 1, 1]),
        (3, (0.02, 0.49, 0.49), [1, 1, 1]),
        (2, (0.1, 0.9, 0), [1, 1, 0]),
        (4, (0.01, 0.9, 0.09), [1, 2, 1]),
        (5, (1, 0, 0), [5, 0, 0]),
        (5, (0.8, 0, 0.2), [4, 0, 1]),
        (1, (1, 0, 0), [1, 0, 0]),
    ],
)
@pytest.mark.parametrize("by", [by_patient, by_image])
def test_sizes_of_parts(
    by: Callable[..., Split], patients: int, parts: tuple[float, ...], sizes: list[int]
) -> None:
    given = examples([f"p{at}" for at in range(patients)])
    found = by(given, parts, 3)
    assert [len(found.train), len(found.validation), len(found.test)] == sizes
    assert whole(found, given)


def test_paper_1_parts_images_and_so_one_patient_into_several_parts() -> None:
    given = examples(["one"] * 10)
    found = by_image(given, PARTS, 0)
    assert [len(found.train), len(found.validation), len(found.test)] == [6, 3, 1]
    assert patients_of(found, given) == [{"one"}] * 3
    assert whole(found, given)
    assert found.rule == "images by lot, 0.6 / 0.3 / 0.1, seed 0"


@pytest.mark.parametrize(
    ("patients", "parts", "message"),
    [
        (["one"] * 10, PARTS, "the set has 1 patients, too few for 3 parts"),
        (["one", "two"], PARTS, "2 patients, too few for 3"),
        ([], (1, 0, 0), "0 patients, too few for 1"),
        (["one", "two"], (0, 0.5, 0.5), "leave nobody to learn from"),
        (["one", "two"], (1, -0.5, 0.5), "leave nobody to learn from"),
    ],
)
def test_what_cannot_be_parted(patients: list[str], parts: tuple[float, ...], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        by_patient(examples(patients), parts, 0)


def test_the_lot_follows_from_the_seed_alone() -> None:
    given = several(30)
    first, again = by_patient(given, PARTS, 1), by_patient(given, PARTS, 1)
    np.testing.assert_array_equal(first.train, again.train)
    assert not np.array_equal(first.test, by_patient(given, PARTS, 2).test)


def test_the_lot_does_not_hang_on_the_order_of_images() -> None:
    given = several(30)
    turned = given.take(np.arange(len(given))[::-1])
    expected = patients_of(by_patient(given, PARTS, 1), given)
    assert patients_of(by_patient(turned, PARTS, 1), turned) == expected


@pytest.mark.parametrize("validation", [0.0, 0.25])
@pytest.mark.parametrize(("patients", "folds"), [(60, 5), (20, 2), (40, 3)])
def test_folds_are_disjoint_and_together_the_whole(
    patients: int, folds: int, validation: float
) -> None:
    given = several(patients)
    found = [fold(given, folds, number, 9, validation) for number in range(folds)]
    asked = sorted(chain.from_iterable(one.test.tolist() for one in found))
    assert asked == list(range(len(given)))
    for one in found:
        assert whole(one, given)
        train, choosing, test = patients_of(one, given)
        assert len(train | choosing | test) == len(train) + len(choosing) + len(test)
        assert train
        assert bool(choosing) == bool(validation)


def test_a_patient_is_of_the_same_fold_whoever_else_takes_part() -> None:
    given = several(60)
    fewer = given.take(np.flatnonzero(np.arange(len(given)) % 3 > 0))
    for number in range(4):
        of_all = patients_of(fold(given, 4, number, 9, 0.2), given)[2]
        of_fewer = patients_of(fold(fewer, 4, number, 9, 0.1), fewer)[2]
        assert of_fewer == of_all & set(fewer.patients)


def test_a_fold_is_by_the_digest_of_seed_and_patient() -> None:
    given = several(30)
    for number in range(3):
        own = {
            one
            for one in given.patients
            if int(hashlib.sha256(f"5 {one}".encode()).hexdigest()[:16], 16) % 3 == number
        }
        assert patients_of(fold(given, 3, number, 5, 0.2), given)[2] == own


def test_a_fold_keeps_the_wanted_part_for_choosing() -> None:
    found = fold(examples([f"p{at}" for at in range(100)]), 5, 2, 0, 0.25)
    learned, choosing, asked = len(found.train), len(found.validation), len(found.test)
    assert learned + choosing + asked == 100
    assert choosing == round(0.25 * (100 - asked))
    assert found.rule == "fold 3 of 5 by patient, seed 0"


@pytest.mark.parametrize(
    ("patients", "folds", "number", "validation", "message"),
    [
        (3, 5, 0, 0.2, "fold 0 of 5 cannot be made of 3 patients"),
        (9, 1, 0, 0.2, "fold 0 of 1"),
        (9, 3, 3, 0.2, "fold 3 of 3"),
        (9, 3, -1, 0.2, "fold -1 of 3"),
        (0, 2, 0, 0.2, "made of 0 patients"),
        (2, 2, 0, 0.2, "1 patients beside the fold's, 1 choose the epoch and none is left"),
        (9, 3, 0, 1.0, "none is left to learn from"),
        (8, 4, 3, 0.2, "the 8 patients of the set the lot puts none in fold 3 of 4; take fewer"),
    ],
)
def test_folds_that_cannot_be_made(
    patients: int, folds: int, number: int, validation: float, message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        fold(examples([f"p{at}" for at in range(patients)]), folds, number, 0, validation)


def test_the_official_split_is_taken_as_it_is() -> None:
    found = official(examples(["a"] * 4, ("test", "train", "val", "train")))
    assert [part.tolist() for part in (found.train, found.validation, found.test)] == [
        [1, 3],
        [2],
        [0],
    ]


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ((), "no split of its own .* choose --split patient"),
        (("test", "val"), "no split of its own"),
        (("train", "valid"), "holds 'valid' beside train, val and test"),
        (("train", ""), "holds '' beside train, val and test"),
    ],
)
def test_official_splits_that_are_missing(splits: tuple[str, ...], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        official(examples(["a", "b"], splits))
