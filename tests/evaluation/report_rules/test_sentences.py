"""What single sentences say, against labels that a reader gave them."""

from collections.abc import Mapping

import pytest

from evaluation.report_rules.reading import labels_of
from evaluation.report_rules.rules import Rules, load
from tests.evaluation.report_rules.sentences import FAIL, SENTENCES


@pytest.fixture(scope="module")
def rules() -> Rules:
    """Those that come along."""
    return load()


def _said(sentence: str, rules: Rules) -> dict[str, int]:
    return {label.name: label.value for label in labels_of([sentence], rules)}


@pytest.mark.parametrize(("sentence", "expected"), SENTENCES)
def test_a_sentence_says(rules: Rules, sentence: str, expected: Mapping[str, int]) -> None:
    assert _said(sentence, rules) == expected


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        pytest.param(sentence, expected, marks=pytest.mark.xfail(reason=why, strict=True))
        for sentence, expected, why in FAIL
    ],
)
def test_a_sentence_that_the_rules_get_wrong(
    rules: Rules, sentence: str, expected: Mapping[str, int]
) -> None:
    assert _said(sentence, rules) == expected


def test_no_sentence_stands_twice() -> None:
    sentences = [sentence for sentence, *_ in (*SENTENCES, *FAIL)]
    assert len(sentences) == len(set(sentences)) >= 100
