"""What the page says of studies, similarities and searches."""

from dataclasses import replace
from datetime import datetime

import pytest

from dicom_node.http import pages_words as words
from storage.answer import Answer, Hit, ImageReference, StudyRecord
from storage.reports import SendState
from tests.storage.made import reference, space

STUDY = StudyRecord(1, "1.2", "P", "", "F", 61, "20260301", None, {})
ANSWER = Answer(STUDY, reference("1.2.1.1"), space(), 1234, 10, 20.0, hits=(), priors=())
HIT = Hit(1, STUDY, reference("1.2.1.1"), 0.9, 98.0)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("20260301", "2026-03-01"),
        ("2026.03.01", "2026-03-01"),
        ("20260230", ""),
        ("", ""),
        (None, ""),
        ("soon", ""),
    ],
)
def test_days(value: str | None, shown: str) -> None:
    assert words.day(value) == shown


@pytest.mark.parametrize(
    ("sex", "age", "shown"),
    [("F", 61, "F, 61 y"), ("M", None, "M"), (None, 0, "0 y"), ("X", None, ""), ("O", 7, "O, 7 y")],
)
def test_subjects(sex: str | None, age: int | None, shown: str) -> None:
    assert words.subject(replace(STUDY, sex=sex, age=age)) == shown


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"body_part": "BREAST", "view": "MLO", "laterality": "L"}, ("CR", "BREAST", "MLO", "L")),
        ({"laterality": "U"}, ("CR",)),
        ({"modality": ""}, ("image",)),
        ({"view": "V" * 400}, ("CR", "V" * 300 + "…")),
    ],
)
def test_kinds_of_image(changes: dict[str, str], shown: tuple[str, ...]) -> None:
    image: ImageReference = replace(reference("1.2.1.1"), **changes)  # type: ignore[arg-type]
    assert words.image_kind(image) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (98.04, "98.0"),
        (99.94, "99.9"),
        (99.96, "99.9"),
        (99.9999, "99.9"),
        (100.0, "100.0"),
        (0.0, "0.0"),
        (None, "no percentile"),
    ],
)
def test_no_percentile_is_rounded_up_to_all(value: float | None, shown: str) -> None:
    assert words.percentile(value) == shown


def test_percentiles() -> None:
    assert words.percentile_says(98.04) == (
        "98.0 % of this archive's pairs of images of this kind, from different patients, are no "
        "more alike (estimated from a sample)."
    )
    assert "too small" in words.percentile_says(None)


@pytest.mark.parametrize(
    ("changes", "headline", "account"),
    [
        ({"hits": (HIT,)}, "The nearest study", "1,234 comparable studies of other patients"),
        ({"hits": (HIT,)}, "The nearest study", "10 asked for, 1 returned."),
        (
            {"hits": (HIT, replace(HIT, percentile=19.9))},
            *("The 2 nearest studies", "Of these, 1 below percentile 20, from which on"),
        ),
        ({"hits": (HIT,), "filters": {"sex": "F"}}, "The nearest study", "that fit the filters"),
        (
            {"filters": {"sex": "F"}},
            *("No similar study fits the filters", "not even the nearest that fits the filters"),
        ),
        ({}, "No similar study", "not even the nearest reaches percentile 20, from which on"),
        ({"searched": 0}, "No similar study", "the archive has no comparable study"),
        (
            {"searched": 0, "filters": {"sex": "F"}},
            *("No similar study fits the filters", "no comparable study of another patient fits"),
        ),
    ],
)
def test_accounts(changes: dict[str, object], headline: str, account: str) -> None:
    answer: Answer = replace(ANSWER, **changes)  # type: ignore[arg-type]
    assert words.headline(answer) == headline
    assert account in words.account(answer)


def test_priors_say_how_many_there_are() -> None:
    assert words.priors(replace(ANSWER, priors=(HIT,))) == (
        "1 earlier or later study of this patient"
    )
    assert words.priors(replace(ANSWER, priors=(HIT,), priors_found=1200)) == (
        "1,200 earlier or later studies of this patient, the nearest 1 shown"
    )


TAKEN = [{"sop_class_uid": "1.2", "sop_instance_uid": "1.2.3"}]


@pytest.mark.parametrize(
    ("state", "reason", "taken", "says"),
    [
        ("queued", None, None, "queued for pacs"),
        ("running", None, None, "on its way to pacs"),
        ("done", None, TAKEN, "stored by pacs"),
        ("failed", "refused", None, "not taken by pacs (refused)"),
        ("failed", "no promise", TAKEN, "stored by pacs, not committed (no promise)"),
    ],
)
def test_sends(
    state: str, reason: str | None, taken: list[dict[str, str]] | None, says: str
) -> None:
    send = SendState(
        peer="pacs", state=state, attempts=1, reason=reason, taken=taken, commitment=None
    )
    assert words.sent([send]) == says
    assert words.sent([]) == ""


@pytest.mark.parametrize(
    ("differs", "now", "then"),
    [
        ([], "", "in the whole archive."),
        (["filters"], "whole archive, without the filters set here.", ", without the filters set"),
        (
            ["filters", "number of hits"],
            "The report lists the 10 nearest studies of the whole archive, ",
            "whole archive, without the filters and the number of hits set here.",
        ),
    ],
)
def test_a_report_that_is_another_answer_is_said_so(
    differs: list[str], now: str, then: str
) -> None:
    noon = datetime(2026, 3, 1, 12, 0).astimezone()
    assert now in words.report_lists_now(10, differs)
    assert bool(words.report_lists_now(10, differs)) == bool(differs)
    assert then in words.report_lists_then(noon, differs)
    assert "made on 2026-03-01 at 12:00 " in words.report_lists_then(noon, differs)
    assert "made earlier:" in words.report_lists_then(None, differs)
