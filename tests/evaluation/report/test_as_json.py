"""The JSON file: full precision, null for what is no number, nothing left out."""

import json
import math
from typing import Any

import numpy as np
import pytest

from evaluation.report.as_json import SCHEMA, as_json, plain
from evaluation.report.compose import compose
from tests.evaluation.report.made import MADE_WITH, SCRIPT, collection_of, evaluated, ugly


def read(text: str) -> Any:
    def refused(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refused)


def test_every_figure_comes_back_to_the_last_digit() -> None:
    made = evaluated(collection_of(["a", "b"] * 12, views=["AP", "PA", "PA"] * 8), strata=("view",))
    told = read(as_json(compose(made, MADE_WITH, maps=False)))
    assert told["schema"] == SCHEMA
    for entry, judgement in zip(told["judgements"], made.judgements, strict=True):
        assert (entry["system"], entry["task"]) == (judgement.system, judgement.task)
        for row, expected in zip(entry["rows"], judgement.rows, strict=True):
            assert row["figure"]["value"] == expected.figure.value
            assert row["figure"]["lift_low"] == expected.figure.lift_low
            assert row["figure"]["queries"] == expected.figure.queries
        for found, one in zip(entry["confounders"], judgement.confounders, strict=True):
            assert (found["attribute"], found["verdict"]) == (one.attribute, one.verdict)
            assert len(found["strata"]) == len(one.strata)


def test_what_a_reader_needs_is_there() -> None:
    told = read(as_json(compose(ugly(), MADE_WITH, maps=False)))
    assert told["provenance"]["command"] == MADE_WITH.command
    assert told["provenance"]["versions"] == dict(MADE_WITH.versions)
    assert told["collection"]["name"] == f"ugly {SCRIPT}"
    assert told["rules"]["apart"] == "patient"
    assert told["systems"][0] == {
        "name": "near class",
        "dimension": 16,
        "metric": "cosine",
        "space": "0123456789abcdef",
    }
    ids = [one["id"] for one in told["measures"]]
    assert ids[-5:] == ["p@3", "p@5", "p@10", "rr@5", "rr@10"]
    used = {row["figure"]["measure"] for one in told["judgements"] for row in one["rows"]}
    assert used <= set(ids)
    assert all(one["says"] and one["empty"] for one in told["measures"])
    assert {one["task"] for one in told["comparisons"]} == {"class", "labels", "each label"}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (math.nan, None),
        (math.inf, None),
        (np.float32(0.5), 0.5),
        ((1, [True, None]), [1, [True, None]]),
        ({"a": math.nan}, {"a": None}),
    ],
)
def test_plain(value: object, told: object) -> None:
    assert plain(value) == told


def test_what_a_report_cannot_hold() -> None:
    with pytest.raises(TypeError, match="cannot hold ndarray"):
        plain(np.zeros(3))
