"""The sentence that a person reads first."""

from typing import Any

import pytest

from dicom_node.report.text import parameters, summary
from storage.answer import SecondStage
from tests.dicom_node.answers import answer, hit


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "3 similar studies found among 12,345 comparable studies of other patients."),
        ({}, "The first is at percentile 98.5 (cosine similarity 0.972)."),
        ({}, "Labels: Cardiomegaly 3 of 3, Tube in place 3 of 3."),
        ({}, "1 prior study of the same patient listed apart."),
        ({"priors_found": 1}, "1 prior study of the same patient listed apart."),
        (
            {"priors_found": 1234},
            "1,234 prior studies of the same patient, the 1 most similar listed apart.",
        ),
        ({"hits": (hit(1, 2, percentile=None),)}, "too small for a percentile"),
        ({"hits": ()}, "none reaches percentile 95 of similarity."),
        ({"hits": (), "searched": 0}, "there was no comparable study of another patient"),
        ({"hits": ()}, "not reviewed by a person; not for diagnosis."),
        (
            {"second_stage": SecondStage(32, 50, 48)},
            "Of the 50 nearest studies 48 had slices to compare, and stand in the order of these.",
        ),
    ],
)
def test_summary_reads_as_english(changes: dict[str, Any], sentence: str) -> None:
    assert sentence in summary(answer(**changes))


def test_slices_that_were_not_compared_are_not_spoken_of() -> None:
    plain = answer()
    for stage in (SecondStage(0, 0, 0), SecondStage(32, 50, 0)):
        assert summary(answer(second_stage=stage)) == summary(plain)
    assert not [line for line in parameters(plain) if "interaction" in line]
    told = parameters(answer(second_stage=SecondStage(32, 50, 48)))
    assert "late interaction: 32 slices, 48 of 50 studies" in told
