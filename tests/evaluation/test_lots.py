"""Lots: by the published generator, even, and the same for whoever asks for them."""

from itertools import islice

import numpy as np
import pytest

from evaluation.lots import lots
from tests.evaluation.drawn import lot, split_mix


def test_the_generator_is_the_published_one() -> None:
    # what the authors' code prints for seed 1234567
    assert list(islice(split_mix(1234567), 3)) == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


@pytest.mark.parametrize("seed", [0, 1, 77])
def test_lots_are_those_of_the_generator(seed: int) -> None:
    queries, images = np.array([0, 3, 900]), np.array([0, 1, 512, 70_000])
    expected = [[lot(int(q), int(i), seed) for i in images] for q in queries]
    assert lots(seed, queries, images).tolist() == expected
    own = np.array([[5, 1], [1, 5], [0, 0]])
    assert lots(seed, queries, own).tolist() == [
        [lot(int(q), int(i), seed) for i in some] for q, some in zip(queries, own, strict=True)
    ]


def test_each_query_draws_anew_and_every_image_is_as_often_first() -> None:
    everyone = np.arange(20)
    first = np.bincount(lots(0, np.arange(20_000), everyone).argmin(axis=1), minlength=20)
    # 1,000 each, with a standard deviation of 31
    assert abs(first - 1000).max() < 4 * 31
