"""Paired tests against enumeration, Holm's own arithmetic by hand."""

import math
from itertools import product

import numpy as np
import pytest

from evaluation.comparison import ComparisonError, compared, holm, randomised
from evaluation.measures import measure
from evaluation.scores import Scores

NAN = math.nan


def scores(values: list[float], classes: list[int] | None = None) -> Scores:
    count = len(values)
    return Scores(
        measure("p@1"),
        np.arange(count),
        np.array(values, np.float64),
        np.zeros(count),
        np.arange(count) // 2,
        np.zeros(count, np.int64) if classes is None else np.array(classes),
        ("a", "b") if classes else (),
    )


@pytest.mark.parametrize(
    ("ps", "expected"),
    [
        # the least times 4, the next times 3 ..., never less than the one before
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.5, 0.6], [1, 1]),
        ([0.02], [0.02]),
        ([0.01, NAN, 0.03], [0.02, NAN, 0.03]),
        ([], []),
    ],
)
def test_holm(ps: list[float], expected: list[float]) -> None:
    assert holm(ps) == pytest.approx(expected, nan_ok=True)


def test_as_every_turning_of_signs() -> None:
    random = np.random.default_rng(1)
    apart, patients = random.normal(0.3, 1, 24), np.repeat(np.arange(8), 3)
    sums = np.bincount(patients, apart)
    every = [abs(np.dot(signs, sums)) for signs in product((-1, 1), repeat=8)]
    exact = np.mean([one >= abs(sums.sum()) - 1e-9 for one in every])
    assert randomised(apart, patients, float(apart.sum())) == pytest.approx(exact, abs=0.015)


def test_equal_runs_do_not_differ() -> None:
    same = scores([1, 0, 1, 1])
    (found,) = compared(same, same)
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert math.isnan(found.p_t)


def test_a_difference_of_each_class_is_corrected_for_all() -> None:
    classes = [0] * 40 + [1] * 40
    better = scores([1.0] * 40 + [0.0, 1.0] * 20, classes)
    worse = scores([0.0] * 40 + [1.0, 0.0] * 20, classes)
    whole, first, second = compared(better, worse)
    assert [entry.name for entry in (whole, first, second)] == ["all queries", "a", "b"]
    assert (first.value, second.value, whole.value) == (1, 0, 0.5)
    assert first.p < 0.001
    ps = sorted([first.p, whole.p])
    assert sorted([first.p_holm, whole.p_holm]) == pytest.approx(
        [3 * ps[0], max(3 * ps[0], 2 * ps[1])]
    )
    assert second.p_holm == 1
    assert whole.low > 0


def test_queries_without_a_value_in_one_run_are_counted() -> None:
    (found,) = compared(scores([1, NAN, 1]), scores([0, 0, NAN]))
    assert (found.queries, found.undefined, found.value) == (1, 2, 1)
    (nothing,) = compared(scores([NAN]), scores([1]))
    assert math.isnan(nothing.p)


def test_other_queries_are_not_compared() -> None:
    with pytest.raises(ComparisonError, match="same queries"):
        compared(scores([1, 0]), scores([1, 0, 1]))
