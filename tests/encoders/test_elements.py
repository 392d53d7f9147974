"""What a message may say of a fault: the kind, the tag, and nothing of the patient."""

import pytest

from encoders.elements import explain


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("no quotes in (0008,1030)", "no quotes in (0008,1030)"),
        (
            "could not convert string to float: 'DOE^JANE'",
            "could not convert string to float: '...'",
        ),
        ("received b'DOE' with format 'L', VR 'UL'", "received '...' with format 'L', VR 'UL'"),
        ('an apostrophe: "O\'NEIL"', "an apostrophe: '...'"),
        ("two\nlines\x1b[31m", "two lines[31m"),
        ("", "no message"),
        ("x" * 5000, "x" * 300),
    ],
)
def test_faults_are_told_on_one_line_without_values(message: str, expected: str) -> None:
    assert explain(ValueError(message)) == f"ValueError: {expected}"


@pytest.mark.parametrize(
    ("error", "expected"),
    [(MemoryError(), "than memory is allowed for"), (RecursionError(), "nested")],
)
def test_limits_are_told_in_words(error: Exception, expected: str) -> None:
    assert expected in explain(error)
