from collections import Counter
from itertools import chain

import numpy as np
import pytest

from encoders.training.examples import Positions
from encoders.training.fault import TrainingError
from encoders.training.sampling import OfEachClass, Shuffled, undersampled

PLACES = [np.arange(10), np.array([20, 21, 22]), np.array([30]), np.arange(40, 60)]


def class_of(place: int) -> int:
    return next(at for at, places in enumerate(PLACES) if place in places)


def of_each(seed: int = 0, epoch: int = 0, classes: int = 3, per_class: int = 4) -> OfEachClass:
    return OfEachClass(PLACES, classes, per_class, seed, epoch)


@pytest.mark.parametrize(
    ("positives", "negatives", "expected"), [(3, 7, 3), (5, 5, 5), (6, 2, 2), (1, 100, 1)]
)
def test_as_many_negatives_as_positives(positives: int, negatives: int, expected: int) -> None:
    positive = np.random.default_rng(1).permutation([True] * positives + [False] * negatives)
    drawn = undersampled(positive, seed=4)
    assert positive[drawn].sum() == positives
    assert (~positive[drawn]).sum() == expected
    assert drawn.tolist() == sorted(set(drawn.tolist()))
    np.testing.assert_array_equal(undersampled(positive, seed=4), drawn)


def test_negatives_are_drawn_by_lot() -> None:
    positive = np.arange(100) < 10
    drawn = {tuple(undersampled(positive, seed)) for seed in range(5)}
    assert len(drawn) == 5
    # each of 90 negatives is drawn in a ninth of the lots: 200 of them, 22 on average
    counts = Counter(chain.from_iterable(undersampled(positive, seed)[10:] for seed in range(200)))
    assert len(counts) == 90
    assert max(counts.values()) < 50


@pytest.mark.parametrize("positive", [[True, True], [False], []])
def test_one_kind_alone_cannot_be_undersampled(positive: list[bool]) -> None:
    with pytest.raises(TrainingError, match="both kinds are needed"):
        undersampled(np.array(positive, dtype=bool), 0)


@pytest.mark.parametrize(
    ("count", "batch", "sizes"),
    [
        (10, 4, [4, 4, 2]),
        (8, 4, [4, 4]),
        (3, 4, [3]),
        (1, 4, [1]),
        (3, 1, [1, 1, 1]),
        (9, 4, [4, 4]),
        (0, 4, []),
    ],
    ids=["rest", "whole", "few", "one", "singles", "rest of one", "none"],
)
def test_sizes_of_batches(count: int, batch: int, sizes: list[int]) -> None:
    sampler = Shuffled(count, batch, seed=0)
    assert [len(one) for one in sampler] == sizes
    assert len(sampler) == len(sizes)
    shown = list(chain.from_iterable(sampler))
    assert len(shown) == len(set(shown))
    assert set(shown) <= set(range(count))
    if sum(sizes) == count:
        assert set(shown) == set(range(count))


def test_the_image_that_is_left_out_is_another_in_each_epoch() -> None:
    left = {
        (set(range(9)) - set(chain.from_iterable(Shuffled(9, 4, 0, epoch)))).pop()
        for epoch in range(60)
    }
    assert left == set(range(9))


def test_batches_hold_p_classes_of_k_images_each() -> None:
    for batch in of_each():
        counts = Counter(map(class_of, batch))
        assert list(counts.values()) == [4, 4, 4]


def test_large_classes_do_not_repeat_in_a_batch_and_small_ones_do() -> None:
    for epoch in range(20):
        for batch in of_each(epoch=epoch):
            for at, places in enumerate(PLACES):
                shown = [place for place in batch if class_of(place) == at]
                if len(places) >= 4:
                    assert len(set(shown)) == len(shown)


def test_an_epoch_of_classes_is_as_long_as_its_images() -> None:
    assert len(of_each()) == len(list(of_each())) == 34 // 12
    assert len(of_each(per_class=16)) == 1  # 48 images of 34 are one batch, not none


def test_every_class_and_image_comes_by_in_time() -> None:
    shown = set(chain.from_iterable(chain.from_iterable(of_each(epoch=at) for at in range(100))))
    assert shown == set(chain.from_iterable(places.tolist() for places in PLACES))


@pytest.mark.parametrize("kind", ["shuffled", "of each class"])
def test_lots_follow_from_seed_and_epoch_alone(kind: str) -> None:
    def batches(seed: int, epoch: int) -> list[list[int]]:
        return list(Shuffled(50, 8, seed, epoch) if kind == "shuffled" else of_each(seed, epoch))

    np.random.seed(0)  # nothing here may hang on the global lot
    first = batches(1, 0)
    np.random.seed(1)
    assert batches(1, 0) == first
    assert batches(1, 1) != first
    assert batches(2, 0) != first
    assert batches(2, 1) != batches(1, 2)


def test_a_sampler_may_be_gone_through_twice() -> None:
    sampler = Shuffled(20, 4, 7)
    assert list(sampler) == list(sampler)


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (PLACES[:2], "batches of 3 classes cannot be made of 2, 0 of which are empty"),
        ([*PLACES, np.array([], dtype=np.int64)], "made of 5, 1 of which are empty"),
    ],
)
def test_classes_that_are_not_there(places: list[Positions], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        OfEachClass(places, 3, 4, 0)
