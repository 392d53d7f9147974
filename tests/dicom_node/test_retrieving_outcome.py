"""What final responses mean where no instance came (PS3.4 C.4.2.1.5, C.4.3.1.4)."""

import pytest

from dicom_node.retrieving.outcome import Outcome
from dicom_node.retrieving.retriever import RetrieverAwayError


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (Outcome(0x0000, completed=0, failed=0), "does not have it"),
        (Outcome(0x0000), "does not have it"),
        (Outcome(0xB000, completed=0, failed=1), "has it and could not send it (answered 0xB000)"),
        (Outcome(0xB000, completed=0, failed=0), "does not have it"),
        (Outcome(0xA702, completed=0, failed=1), "has it and could not send it (answered 0xA702)"),
        (Outcome(0xA702), "has it and could not send it (answered 0xA702)"),
        (Outcome(0xA900), "does not have it, or does not give it (answered 0xA900)"),
        (Outcome(0xFE00), "does not have it, or does not give it (answered 0xFE00)"),
        (
            Outcome(0xC000, comment="tape lost"),
            "does not have it, or does not give it (answered 0xC000 tape lost)",
        ),
    ],
)
def test_faults_of_one_instance(outcome: Outcome, told: str) -> None:
    fault = outcome.why("pacs")
    assert str(fault) == f"pacs: {told}"
    assert not isinstance(fault, RetrieverAwayError)


@pytest.mark.parametrize("status", [0x0122, 0x0124, 0x0211, 0xA701, 0xA801])
@pytest.mark.parametrize("failed", [None, 1])
def test_faults_of_every_instance(status: int, failed: int | None) -> None:
    fault = Outcome(status, failed=failed).why("pacs")
    assert isinstance(fault, RetrieverAwayError)
    assert f"0x{status:04X}" in str(fault)


@pytest.mark.parametrize(
    ("outcome", "may"),
    [
        (Outcome(0x0000, completed=1), True),
        (Outcome(0x0000, completed=0, warning=1), True),
        (Outcome(0x0000), True),
        (Outcome(0xB000, completed=1, failed=1), True),
        (Outcome(0x0000, completed=0, failed=0), False),
        (Outcome(0xB000, completed=0, failed=1), False),
        (Outcome(0xA702, completed=1), False),
        (Outcome(0xC000), False),
    ],
)
def test_whether_something_may_be_on_its_way(outcome: Outcome, may: bool) -> None:
    assert outcome.may_have_sent is may
