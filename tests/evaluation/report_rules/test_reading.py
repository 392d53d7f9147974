"""Whole reports: which sections are read, how text is cut, and what several sentences say."""

import pytest

from evaluation.report_rules.reading import labels_of
from evaluation.report_rules.rules import Rules, load
from evaluation.report_rules.sections import sentences
from storage.answer import Label


@pytest.fixture(scope="module")
def rules() -> Rules:
    """Those that come along."""
    return load()


def _said(text: str, rules: Rules) -> dict[str, int]:
    return {label.name: label.value for label in labels_of([text], rules)}


REPORT = """EXAMINATION: Chest PA and lateral

INDICATION: Cough, fever. Rule out pneumonia.

COMPARISON: Radiograph with large effusion of last week.

FINDINGS: The heart is mildly
enlarged. No pneumothorax.
- Small left effusion
- No consolidation

IMPRESSION:
1. Small left effusion.
2. Cardiomegaly.

RECOMMENDATION: CT to exclude a mass.
"""


def test_history_comparison_and_recommendation_are_not_read(rules: Rules) -> None:
    assert _said(REPORT, rules) == {
        "Cardiomegaly": 1,
        "Consolidation": 0,
        "Pleural Effusion": 1,
        "Pneumothorax": 0,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("History of pneumonia.\nPneumothorax.", ["History of pneumonia. Pneumothorax."]),
        ("HISTORY: Pneumonia.", []),
        ("history: Pneumonia.\nReport: Effusion.", ["Effusion."]),
        ("Clinical information\nPneumonia.\n\nEffusion.", ["Effusion."]),
        ("HISTORY:\n\nPneumonia.", []),
        ("HISTORY: Mass. FINDINGS: Effusion. COMPARISON: Nodule.", ["Effusion."]),
        ("Compared to the prior study: effusion.", ["Compared to the prior study: effusion."]),
        ("Lungs: clear.\nHeart: normal.", ["Lungs: clear.", "Heart: normal."]),
        ("1. Effusion\n2. Mass", ["1.", "Effusion", "2.", "Mass"]),
        ("Atelectasis vs. pneumonia of 1.5 cm.", ["Atelectasis vs. pneumonia of 1.5 cm."]),
        ("Seen by Dr. May. Mass?", ["Seen by Dr. May.", "Mass?"]),
        ("No\r\neffusion.", ["No effusion."]),
        ("", []),
    ],
)
def test_text_is_cut_into_the_sentences_that_count(
    rules: Rules, text: str, expected: list[str]
) -> None:
    found = list(sentences(text, rules))
    if text.startswith("History of"):
        found = [" ".join(found)]
    assert found == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Effusion. No effusion.", 1),
        ("No effusion. Possible effusion.", -1),
        ("Possible effusion. Effusion.", 1),
        ("No effusion. No effusion.", 0),
    ],
)
def test_of_several_words_the_strongest_counts(rules: Rules, text: str, value: int) -> None:
    assert _said(text, rules) == {"Pleural Effusion": value}


def test_labels_bring_their_codes(rules: Rules) -> None:
    assert labels_of(["Effusion and widened mediastinum."], rules) == [
        Label("Enlarged Cardiomediastinum", 1),
        Label("Pleural Effusion", 1, "60046008", "SCT"),
    ]


def test_several_texts_are_one_report(rules: Rules) -> None:
    found = labels_of(["HISTORY: Mass.", "Effusion."], rules)
    assert [label.name for label in found] == ["Pleural Effusion"]
