"""What the table of an answer says where there is no hit."""

from typing import Any

import pytest

from dicom_node.console import answer_text
from storage.answer import Refined
from tests.dicom_node.answers import answer


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "none reaches percentile 95."),
        ({"filters": {"sex": "F"}}, "none reaches percentile 95."),
        (
            {"searched": 0, "filters": {}},
            "there is no comparable study of another patient.",
        ),
        (
            {"searched": 0, "filters": {"sex": "F"}},
            "no comparable study of another patient fits the filters.",
        ),
        ({"refined": Refined(more=("1.2",))}, "none reaches percentile 95."),
        (
            {"searched": 2, "refined": Refined(less=("1.2", "1.3"))},
            "none that was not marked as less like it reaches percentile 95.",
        ),
    ],
)
def test_why_no_study_is_similar(changes: dict[str, Any], why: str) -> None:
    lines = answer_text(answer(hits=(), **changes)).splitlines()
    assert f"No similar study: {why}" in lines
