"""docs/representative-images.md: what it names in the code and in the tests is there."""

import importlib
import re
from pathlib import Path

import pytest

from encoders.choice import SLICE_RULE

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "representative-images.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if re.match(r"\| (?!Situation|#)", line)]


@pytest.mark.parametrize("row", ROWS, ids=[row[2:50] for row in ROWS])
def test_each_row_names_tests_that_exist(row: str) -> None:
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", row)
    assert named
    for file, function in named:
        assert f"\ndef {function}(" in (HERE / file).read_text(encoding="utf-8")


def test_the_code_that_the_page_names_exists() -> None:
    modules = "choice|stack|precedence|eligibility|frame_header|view|sop_classes"
    for module, name in set(re.findall(rf"`({modules})\.(\w+)`", PAGE)):
        assert callable(getattr(importlib.import_module(f"encoders.{module}"), name))


def test_the_answers_changed_with_the_second_version() -> None:
    assert SLICE_RULE == "middle-of-extent-2"
