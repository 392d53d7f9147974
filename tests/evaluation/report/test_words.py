"""Numbers and rules in words."""

from dataclasses import replace

import numpy as np
import pytest

from evaluation.report import words
from evaluation.tasks import Rules, any_label, as_near, each_label, one_class
from tests.evaluation.report.made import collection_of

NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("value", "digits", "told"),
    [
        (0.6244, 3, ".624"),
        (0.6244, 2, ".62"),
        (1.0, 3, "1.000"),
        (0.0, 3, ".000"),
        (-0.0121, 3, "-.012"),
        (-0.00001, 3, ".000"),
        (-1.5, 2, "-1.50"),
        (10.0, 2, "10.00"),
        (NAN, 3, "-"),
        (-INFINITE, 3, "-"),
    ],
)
def test_number(value: float, digits: int, told: str) -> None:
    assert words.number(value, digits) == told


@pytest.mark.parametrize(
    ("p", "told"),
    [(0.0001, "<\u00a0.001"), (0.001, ".001"), (0.5, ".500"), (1.0, "1.000"), (NAN, "-")],
)
def test_p_value(p: float, told: str) -> None:
    assert words.p_value(p) == told


def test_interval() -> None:
    assert words.interval(0.581, 0.66, 2) == ".58 to .66"
    assert words.interval(NAN, NAN) == "-"


@pytest.mark.parametrize(
    ("difference", "p", "told"),
    [
        (0.1, 0.01, "the first is better"),
        (-0.1, 0.01, "the second is better"),
        (0.1, 0.05, "no difference shown"),
        (NAN, NAN, "cannot be told"),
    ],
)
def test_conclusion(difference: float, p: float, told: str) -> None:
    assert words.conclusion(difference, p) == told


def test_counted() -> None:
    assert words.counted(1, "query", "queries") == "1 query"
    assert words.counted(12_345, "query", "queries") == "12,345 queries"
    assert words.counted(0, "image") == "0 images"


def test_rules_name_what_is_looser_than_the_patient() -> None:
    assert "looser" not in " ".join(words.rules(Rules()))
    for apart in ("study", "image"):
        assert "looser" in " ".join(words.rules(Rules(apart=apart)))


def test_rules_name_splits_and_the_seed() -> None:
    told = " ".join(
        words.rules(Rules(query_splits=("val", "test"), index_splits=("train",), seed=3))
    )
    assert "splits val, test ask" in told
    assert "split train may answer" in told
    assert "Seed 3." in told


def test_what_is_asked() -> None:
    collection = collection_of(["a", "b"] * 4)
    everyone = np.arange(8)
    told = [
        words.asked(task)
        for task in (
            one_class(collection, "class"),
            any_label(collection, everyone, "ignore"),
            each_label(collection, everyone, "ignore"),
            as_near(collection, "weight", 50),
            replace(one_class(collection, "class"), says="told by a reader"),
        )
    ]
    assert told == [
        "Relevant is an image of the same class.",
        "Relevant is an image that has any label in common with the query.",
        "Relevant is an image that has the label.",
        "Relevance is graded: 1 at the same weight, 0 from 50 apart.",
        "Relevant: told by a reader.",
    ]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("weight", 70.25, "70.25"),
        ("received", 0.0, "1970-01-01 00:00"),
        ("received", 1.76e9, "2025-10-09 08:53"),
        ("received", float("nan"), "-"),
    ],
)
def test_measured(name: str, value: float, told: str) -> None:
    assert words.measured(name, value) == told


@pytest.mark.parametrize(("p", "told"), [(0.0004, "p <\u00a0.001"), (0.04, "p = .040")])
def test_p_in_a_sentence(p: float, told: str) -> None:
    assert words.p_says(p) == told
