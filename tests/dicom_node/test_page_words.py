"""What the page says of studies, similarities and searches."""

from dataclasses import replace

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


def test_percentiles() -> None:
    assert words.percentile(98.04) == "98.0"
    assert words.percentile(None) == "no percentile"
    assert words.percentile_says(98.04) == (
        "Closer than 98.0 % of the pairs of different patients in this archive."
    )
    assert "too small" in words.percentile_says(None)


@pytest.mark.parametrize(
    ("changes", "headline", "account"),
    [
        ({"hits": (HIT,)}, "1 similar study", "1,234 comparable studies of other patients"),
        ({"hits": (HIT,)}, "1 similar study", "10 asked for, 1 returned"),
        ({}, "No similar study", "not even the nearest reaches percentile 20, from which on"),
        ({"searched": 0}, "No similar study", "the archive has no comparable study"),
        ({"searched": 0, "filters": {"sex": "F"}}, "No similar study", "fits the filters"),
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


@pytest.mark.parametrize(
    ("state", "reason", "says"),
    [
        ("queued", None, "queued for pacs"),
        ("running", None, "on its way to pacs"),
        ("done", None, "stored by pacs"),
        ("failed", "refused", "not taken by pacs (refused)"),
    ],
)
def test_sends(state: str, reason: str | None, says: str) -> None:
    send = SendState(
        peer="pacs", state=state, attempts=1, reason=reason, taken=None, commitment=None
    )
    assert words.sent([send]) == says
    assert words.sent([]) == ""
