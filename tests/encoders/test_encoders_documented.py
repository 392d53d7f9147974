"""docs/encoders.md says what the registry has."""

import re

import pytest

from encoders.registry import declarations, forms
from tests.encoders.encoder_table import DOCUMENT, table, written


def test_the_table_is_that_of_the_registry() -> None:
    _, found, _ = written(DOCUMENT.read_text("utf-8"))
    assert found == table(), "run: python -m tests.encoders.encoder_table"


def test_names_in_the_text_are_encoders() -> None:
    before, _, after = written(DOCUMENT.read_text("utf-8"))
    named = set(re.findall(r"encoders (?:show|fetch|check|add) ([a-z][\w.:-]+)", before + after))
    known = {entry.name for entry in declarations()}
    assert named
    assert all(name in known or name.startswith(_prefixes()) for name in named)


def _prefixes() -> tuple[str, ...]:
    return tuple(form.prefix for form in forms())


@pytest.mark.parametrize("ending", ["-cropped", "-sam-input", "-logits", "-probabilities"])
def test_variants_of_the_text_exist(ending: str) -> None:
    assert any(entry.name.endswith(ending) for entry in declarations())
