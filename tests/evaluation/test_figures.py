"""Means, chance and intervals over patients."""

import math

import numpy as np
import pytest

from evaluation.figures import Mean, figure, resampled
from evaluation.measures import measure
from evaluation.scores import Scores, together

NAN = math.nan


def scores(
    values: list[float],
    patients: list[int] | None = None,
    classes: list[int] | None = None,
    by_chance: float = 0.25,
) -> Scores:
    count = len(values)
    return Scores(
        measure("p@1"),
        np.arange(count),
        np.array(values, np.float64),
        np.full(count, by_chance),
        np.arange(count) if patients is None else np.array(patients),
        np.zeros(count, np.int64) if classes is None else np.array(classes),
        ("a", "b", "c"),
    )


# class a: 1, 0, 1 (2/3); class b: 1 (1)
CLASSED = scores([1, 0, 1, 1], classes=[0, 0, 0, 1])


@pytest.mark.parametrize(
    ("mean", "expected"),
    [("micro", 3 / 4), ("class_mean", 5 / 6), ("class_inverse", (2 / 3 / 3 + 1) / (1 / 3 + 1))],
)
def test_means_by_hand(mean: Mean, expected: float) -> None:
    found = figure(CLASSED, mean)
    assert found.value == pytest.approx(expected)
    assert found.chance == pytest.approx(0.25)
    assert (found.queries, found.undefined, found.patients) == (4, 0, 4)


def test_undefined_queries_are_counted_and_do_not_enter() -> None:
    found = figure(scores([1, NAN, 0, NAN]))
    assert (found.value, found.queries, found.undefined) == (0.5, 2, 2)


def test_no_query_with_a_value() -> None:
    found = figure(scores([NAN, NAN]))
    assert math.isnan(found.value)
    assert math.isnan(found.low)
    assert (found.queries, found.undefined) == (0, 2)


def test_the_interval_of_independent_queries_is_that_of_a_proportion() -> None:
    values = [1.0] * 300 + [0.0] * 700
    found = figure(scores(values), draws=4000)
    error = 1.96 * math.sqrt(0.3 * 0.7 / 1000)
    assert found.low == pytest.approx(0.3 - error, abs=0.003)
    assert found.high == pytest.approx(0.3 + error, abs=0.003)
    assert found.lift_low == pytest.approx(found.low - 0.25)


def test_ten_alike_queries_of_one_patient_count_as_one() -> None:
    values = [float(patient < 30) for patient in range(100) for _ in range(10)]
    patients = [patient for patient in range(100) for _ in range(10)]
    found = figure(scores(values, patients), draws=4000)
    error = 1.96 * math.sqrt(0.3 * 0.7 / 100)
    assert found.low == pytest.approx(0.3 - error, abs=0.012)
    assert found.high == pytest.approx(0.3 + error, abs=0.012)


def test_one_patient_has_no_spread_to_tell() -> None:
    found = figure(scores([1, 0, 0, 0], patients=[7] * 4))
    assert found.value == found.low == found.high == 0.25
    assert found.patients == 1


def test_the_same_seed_draws_the_same() -> None:
    first, second = resampled([CLASSED], seed=3)[0], resampled([CLASSED], seed=3)[0]
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, resampled([CLASSED], seed=4)[0])


def test_a_class_that_a_draw_lacks_is_left_out_of_it() -> None:
    """Of two patients with a class each, a draw has one of them in half of the cases."""
    drawn = resampled([scores([1, 0], classes=[0, 1])], "class_mean", draws=2000)[0][0]
    assert set(np.unique(drawn)) == {0.0, 0.5, 1.0}
    assert np.mean(drawn == 0.5) == pytest.approx(0.5, abs=0.05)


def test_labels_of_one_table() -> None:
    whole = together([scores([1, 0]), scores([NAN]), scores([1])], ["x", "y", "z"])
    assert whole.class_names == ("x", "y", "z")
    assert figure(whole, "class_mean").value == pytest.approx(0.75)
    assert figure(whole).value == pytest.approx(2 / 3)
    assert figure(whole.of_class(1)).undefined == 1
