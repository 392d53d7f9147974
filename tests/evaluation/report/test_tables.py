"""The CSV tables, read back as somebody else would read them."""

import csv
from collections.abc import Iterable

import numpy as np
import pytest

from evaluation.collection import POSITIVE
from evaluation.report import tables
from evaluation.report.compose import Evaluated, compose
from evaluation.report.document import Document
from tests.evaluation.report.made import (
    LONG,
    MADE_WITH,
    QUOTES,
    SCRIPT,
    UGLY,
    by_lot,
    collection_of,
    evaluated,
    everything,
    near,
    ugly,
)


@pytest.fixture(scope="module")
def found() -> Evaluated:
    return ugly()


@pytest.fixture(scope="module")
def document(found: Evaluated) -> Document:
    return compose(found, MADE_WITH, maps=False)


def read(lines: Iterable[str]) -> list[dict[str, str]]:
    return list(csv.DictReader("".join(lines).splitlines(keepends=True)))


def test_figures(found: Evaluated, document: Document) -> None:
    rows = read(tables.figures(document))
    wanted = [
        (one.system, one.task, row.figure)
        for one in found.judgements
        for row in one.rows
        if not row.group
    ]
    assert len(rows) == len(wanted)
    for row, (system, task, figure) in zip(rows, wanted, strict=True):
        assert (row["system"], row["task"], row["measure"]) == (system, task, figure.measure)
        assert (row["mean"], float(row["value"])) == (figure.mean, figure.value)
        assert int(row["queries"]) == figure.queries


def test_classes_with_every_name_as_it_was(document: Document) -> None:
    rows = [one for one in read(tables.classes(document)) if one["task"] == "class"]
    assert {one["class"] for one in rows} == set(UGLY)
    p_at_1 = [one for one in rows if one["measure"] == "p@1" and one["system"] == "near class"]
    assert len(p_at_1) == len(UGLY)


def test_confounders_with_their_values(found: Evaluated, document: Document) -> None:
    rows = [one for one in read(tables.confounders(document)) if one["task"] == "class"]
    assert {one["attribute"] for one in rows} == {"view"}
    assert {one["attribute value"] for one in rows} == {"", "AP<b>", "PA"}
    whole = [one for one in rows if not one["attribute value"]]
    assert {one["what"] for one in whole} == {
        "neighbours share it",
        "score among those known",
        "score within",
    }
    assert all(one["verdict"] for one in whole)
    within = next(one for one in rows if one["attribute value"] == "PA")
    view = found.judgements[0].confounders[0]
    assert float(within["value"]) == dict(view.strata)["PA"].value


@pytest.fixture(scope="module")
def more() -> Document:
    return compose(everything(), MADE_WITH, maps=False)


def test_probes(more: Document) -> None:
    rows = read(tables.probes(more))
    wanted = [
        (one.probe.system, one.task, one.kind, row.group, row.figure)
        for one in more.probes or ()
        for row in one.probe.rows
    ]
    assert len(rows) == len(wanted)
    for row, (system, task, kind, group, figure) in zip(rows, wanted, strict=True):
        assert (row["system"], row["task"], row["probe"], row["class"]) == (
            system,
            task,
            kind,
            group,
        )
        assert (row["measure"], row["mean"]) == (figure.measure, figure.mean)
        assert float(row["value"]) == figure.value
        assert float(row["chance"]) == figure.chance
        assert int(row["queries"]) == figure.queries


def test_ablations(more: Document) -> None:
    rows = read(tables.ablations(more))
    assert len(rows) == 2 * 3 * 3  # systems, sizes, all seeds and each of two
    whole = [one for one in rows if not one["seed"]]
    assert [one["images of each class"] for one in whole] == ["1", "2", "4"] * 2
    assert all(one["measure"] == "p@1" and one["chance"] and one["low"] for one in whole)
    # each seed has as many queries, so that their mean is the whole
    for at, one in enumerate(whole):
        seeds = [row for row in rows[3 * at : 3 * at + 3] if row["seed"]]
        assert [row["seed"] for row in seeds] == ["0", "1"]
        assert np.mean([float(row["value"]) for row in seeds]) == pytest.approx(float(one["value"]))
        assert {row["low"] for row in seeds} == {""}


def test_shadow_mode(more: Document) -> None:
    rows = read(tables.abstentions(more))
    assert [(one["attribute"], one["value"]) for one in rows[:2]] == [("", ""), ("modality", "CT")]
    assert int(rows[0]["studies"]) == 60
    drifts = read(tables.drifts(more))
    assert {one["value"] for one in drifts} == {"", "CT", "CT1", SCRIPT, "CT3"}
    by_value = {one["value"]: one for one in drifts}
    assert (by_value["CT1"]["new"], by_value["CT1"]["p"]) == ("0", "")
    assert {one["unseen"] for one in drifts} == {"0"}


def test_no_column_stands_twice(found: Evaluated, document: Document) -> None:
    for lines in (
        tables.probes(document),
        tables.ablations(document),
        tables.abstentions(document),
        tables.drifts(document),
        tables.figures(document),
        tables.classes(document),
        tables.confounders(document),
        tables.comparisons(document),
        tables.confusions(document),
        tables.neighbours(document, found.collection),
    ):
        head = next(iter(lines)).strip().split(",")
        assert len(head) == len(set(head))


def test_comparisons(document: Document) -> None:
    rows = [one for one in read(tables.comparisons(document)) if one["task"] == "class"]
    assert [one["class"] for one in rows] == ["all queries", *sorted(UGLY)]
    for one in rows:
        assert float(one["p"]) <= float(one["p_holm"]) <= 1


def test_confusions_hold_every_query(document: Document) -> None:
    rows = [one for one in read(tables.confusions(document)) if one["task"] == "class"]
    counts = {one["system"]: 0 for one in rows}
    for one in rows:
        counts[one["system"]] += int(one["queries"])
    assert set(counts.values()) == {120}


def test_neighbours_by_brute_force() -> None:
    collection = collection_of(["a", "b", "c"] * 10)
    systems = (near(collection), by_lot(collection))
    made = evaluated(collection, systems)
    rows = read(tables.neighbours(compose(made, MADE_WITH, maps=False), collection))
    classes = collection.attributes["class"]
    positive = collection.states == POSITIVE
    for system in systems:
        unit = system.vectors / np.linalg.norm(system.vectors, axis=1, keepdims=True)
        cosine = unit.astype(np.float64) @ unit.T
        np.fill_diagonal(cosine, -np.inf)
        best = np.argsort(-cosine, axis=1)[:, :10]
        own = [one for one in rows if (one["system"], one["task"]) == (system.name, "class")]
        assert len(own) == 30 * 10
        for one in own:
            query, hit = int(one["query"]) - 1, int(one["neighbour"]) - 1
            assert best[query, int(one["rank"]) - 1] == hit
            assert (one["query id"], one["neighbour id"]) == (f"id-{query}", f"id-{hit}")
            assert float(one["similarity"]) == pytest.approx(cosine[query, hit], abs=1e-6)
            assert int(one["relevant"]) == (classes[query] == classes[hit])
        for one in rows:
            if one["task"] in {"labels", "each label"}:
                query, hit = int(one["query"]) - 1, int(one["neighbour"]) - 1
                assert int(one["relevant"]) == (positive[query] & positive[hit]).any()


def test_nothing_is_an_empty_cell() -> None:
    lines = "".join(tables._lines(("a", "b"), [(float("nan"), QUOTES), (0.1 + 0.2, LONG)]))
    (first, second) = csv.DictReader(lines.splitlines(keepends=True))
    assert first == {"a": "", "b": QUOTES}
    assert second == {"a": "0.30000000000000004", "b": LONG}
