"""The content tree of each kind of report, as it was agreed upon (tests/dicom_node/golden)."""

from difflib import unified_diff

import pytest

from tests.dicom_node.answers import make
from tests.dicom_node.golden_trees import FOLDER, main, tree_text
from tests.dicom_node.report_kinds import KINDS

WRITE = "if it is meant: python -m tests.dicom_node.golden_trees --write"


@pytest.mark.parametrize("name", KINDS)
def test_tree_is_the_one_agreed_upon(name: str) -> None:
    kind, agreed = KINDS[name], FOLDER / f"{name}.txt"
    expected = agreed.read_text(encoding="utf-8").splitlines()
    found = tree_text(make(kind.given, **kind.options)).splitlines()
    difference = "\n".join(unified_diff(expected, found, "agreed", "made now", lineterm=""))
    assert not difference, f"{agreed.name}\n{difference}\n{WRITE}"


def test_there_is_no_tree_too_many() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(KINDS)


def test_trees_are_written_only_on_demand() -> None:
    assert main([]) == 2
