"""The JSON file: full precision, null for what is no number, nothing left out."""

import json
import math
from typing import Any

import numpy as np
import pytest

from evaluation.report.as_json import SCHEMA, as_json, plain
from evaluation.report.compose import compose
from tests.evaluation.report.made import (
    MADE_WITH,
    SCRIPT,
    as_archive,
    collection_of,
    evaluated,
    everything,
    ugly,
    unasked,
)


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


def test_what_was_not_asked_for_is_null() -> None:
    told = read(as_json(compose(evaluated(collection_of(["a", "b"] * 12)), MADE_WITH, maps=False)))
    assert [told[name] for name in ("probes", "ablations", "shadow")] == [None] * 3


def test_probes_ablations_and_shadow_mode() -> None:
    made = everything()
    told = read(as_json(compose(made, MADE_WITH, maps=False)))
    assert made.probes
    assert made.ablations
    assert made.shadow
    for entry, probe in zip(told["probes"], made.probes, strict=True):
        assert (entry["task"], entry["kind"]) == (probe.task, probe.kind)
        assert entry["test"] == probe.test
        values = [row["figure"]["value"] for row in entry["probe"]["rows"]]
        assert values == [row.figure.value for row in probe.probe.rows]
    (entry,) = told["ablations"]
    assert (entry["task"], entry["measure"]) == ("class", "p@1")
    points = made.ablations[0].curves[1].points
    assert [one["per_class"] for one in entry["curves"][1]["points"]] == [1, 2, 4]
    assert entry["curves"][1]["points"][2]["figure"]["low"] == points[2].figure.low
    assert told["shadow"]["level"] == 20
    assert told["shadow"]["abstentions"][0]["studies"] == 60
    assert told["shadow"]["drifts"][0]["new"] == 12
    defined = {one["id"]: one for one in told["measures"]}
    rows = [row for entry in told["probes"] for row in entry["probe"]["rows"]]
    for name in {row["figure"]["measure"] for row in rows}:
        assert defined[name]["says"]
        assert defined[name]["chance"]


def test_an_archive_of_which_nothing_is_known() -> None:
    found = unasked(as_archive(collection_of(["a", "b"] * 30)))
    told = read(as_json(compose(found, MADE_WITH, maps=False)))
    assert [told[name] for name in ("tasks", "judgements", "measures")] == [[], [], []]
    assert told["shadow"]["abstentions"][0]["studies"] == 30


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
