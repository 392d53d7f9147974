"""Whoever is left out of an answer, somebody follows."""

import numpy as np
import pytest

from evaluation.collection import Collection
from evaluation.evaluating import System, judge
from evaluation.followed import MOST, followed
from evaluation.nearest import NOBODY, Neighbourhood
from evaluation.scores import FOLLOWING
from evaluation.tasks import Rules, one_class
from storage.vectors.metric import Metric


def series(patients: int, slices: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors on a line, each patient's all at one place, and whose they are."""
    whose = np.repeat(np.arange(patients), slices)
    return np.stack([whose, np.zeros_like(whose)], axis=1).astype(np.float32), whose


@pytest.mark.parametrize("slices", [1, 5, 12, 30])
@pytest.mark.parametrize("k", [1, 10])
def test_k_are_left_without_any_one_patient(slices: int, k: int) -> None:
    vectors, whose = series(9, slices)
    run = followed(Neighbourhood(vectors, Metric.L2), k, whose, apart=whose)
    for found in run.neighbours:
        there = found[found != NOBODY]
        for patient in np.unique(whose[there]):  # the asking one is not among them: 7 others
            assert (whose[there] != patient).sum() >= min(k, 7 * slices)


def test_lists_of_many_patients_are_no_deeper_than_they_must_be() -> None:
    vectors, whose = series(60, 1)
    run = followed(Neighbourhood(vectors, Metric.L2), 5, whose, apart=whose)
    assert run.k == 5 + FOLLOWING


def test_a_patient_who_fills_every_list_ends_the_search() -> None:
    vectors, whose = series(3, 400)
    run = followed(Neighbourhood(vectors, Metric.L2), 5, whose, apart=whose)
    assert run.k == 5 + MOST


def test_of_series_that_all_agree_the_interval_has_no_width() -> None:
    """All of a place are of one class, however much of a list is one patient's."""
    vectors, whose = series(8, 30)
    vectors[whose >= 4] += 1000
    collection = Collection(
        name="series",
        ids=tuple(f"i{at}" for at in range(len(whose))),
        patients=tuple(f"p{one}" for one in whose),
        label_names=(),
        states=np.empty((len(whose), 0), np.int8),
        attributes={"class": np.where(whose < 4, "a", "b")},
    )
    task = one_class(collection, "class", ("p@10",))
    rows = judge(System("made", vectors, Metric.L2), task, collection, Rules()).rows
    [whole] = [row.figure for row in rows if not row.group and row.figure.mean == "micro"]
    assert (whole.value, whole.low, whole.high) == (1.0, 1.0, 1.0)
