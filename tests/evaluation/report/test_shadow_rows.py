"""What shadow mode comes to, in words and in rows."""

import math
from dataclasses import replace

import pytest

from evaluation.report.compose import compose
from evaluation.report.document import Document
from evaluation.report.shadow_rows import WHOLE, says, value_rows
from evaluation.shadow import Abstention, Drift, Shadow
from tests.evaluation.report.made import MADE_WITH, as_archive, collection_of, evaluated

NOBODY = float("nan")
ALL = Abstention("", "", 400, 0, 0.125, 61.25)
SAME = Drift("", "", 40, 360, 0.81, 0.8, 0.1, 0.4, unseen=False)


def shadow(abstention: Abstention = ALL, drift: Drift = SAME) -> Shadow:
    return Shadow(20.0, (abstention,), 0.0, (drift,))


@pytest.mark.parametrize(
    ("abstention", "told"),
    [
        (
            ALL,
            "12.5 % of 400 studies would be told that nothing is similar: their best hit is below",
        ),
        (ALL, "below percentile 20 of the pairs of different patients."),
        (ALL, "The median best hit is at percentile 61.2."),
        (replace(ALL, alone=1), "percentile 61.2. 1 study has nobody to be compared with."),
        (
            Abstention("", "", 0, 3, NOBODY, NOBODY),
            "No study can be compared with another patient's. 3 studies have nobody",
        ),
    ],
)
def test_how_often_nothing_is_similar(abstention: Abstention, told: str) -> None:
    first = next(iter(says(shadow(abstention))))
    assert told in first.says
    assert first.standing == "open"


@pytest.mark.parametrize(
    ("drift", "told", "standing"),
    [
        (SAME, "No difference is shown between new and earlier images.", "open"),
        (replace(SAME, p=0.049), "What came lately differs from what was there before.", "doubt"),
        (replace(SAME, p=1e-9), "that of an earlier one .800; p <\u00a0.001.", "doubt"),
        (
            replace(SAME, p=NOBODY),
            "Whether what came from 1970-01-01 00:00 on differs cannot be told.",
            "open",
        ),
    ],
)
def test_whether_what_came_lately_differs(drift: Drift, told: str, standing: str) -> None:
    _, second = says(shadow(drift=drift))
    assert told in second.says
    assert second.standing == standing


def archive() -> Document:
    collection = as_archive(collection_of(["a", "b"] * 60))
    return compose(evaluated(collection, strata=("source",)), MADE_WITH, maps=False)


def test_an_archive_that_was_filled_in_one_go() -> None:
    _, drift = says(Shadow(20.0, (ALL,), NOBODY, ()))
    assert drift.says == "All images came at one moment, so that none are newer than others."


def test_rows_hold_what_is_told_of_the_same_value() -> None:
    document = archive()
    found = Shadow(
        20.0,
        (ALL, replace(ALL, attribute="source", value="CT1", abstained=0.5)),
        0.0,
        (
            replace(SAME, p=0.01),
            replace(SAME, attribute="source", value="CT1", p=0.02),
            replace(SAME, attribute="source", value="CT3", p=NOBODY, old=0, unseen=True),
            replace(SAME, attribute="source", value="CT4", p=NOBODY, new=0),
        ),
    )
    whole, first, third, fourth = value_rows(document, found)
    assert (whole.name, first.name, third.name) == (WHOLE, "source = CT1", "source = CT3")
    # Holm: the least of two times two, the greater as it is, but no less than that
    assert (whole.p_holm, first.p_holm) == (0.02, 0.02)
    assert math.isnan(third.p_holm)
    assert third.abstention is None
    assert [row.so for row in (whole, first, third, fourth)] == [
        "they differ",
        "they differ",
        "not seen before",
        "nothing new",
    ]
    # agreement is that of the first system, whose headlines stand in its judgements
    judgements = [one for one in document.judgements if one.system == "near class"]
    headlines = [one.rows[0].figure for one in judgements]
    assert list(whole.agreement) == headlines
    within = dict(judgements[0].confounders[0].strata)
    assert first.agreement[0] == within["CT1"]
    assert fourth.agreement == (None, None, None)


@pytest.mark.parametrize(
    ("change", "so"),
    [
        ({"p": 0.2}, "no difference shown"),
        ({"p": NOBODY}, "cannot be told"),
        ({"new": 0, "p": NOBODY}, "nothing new"),
    ],
)
def test_what_a_drift_comes_to(change: dict[str, float], so: str) -> None:
    (row,) = value_rows(archive(), shadow(drift=replace(SAME, **change)))  # type: ignore[arg-type]
    assert row.so == so
