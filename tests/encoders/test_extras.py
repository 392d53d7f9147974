"""Optional libraries: absent, here, and here but broken."""

import dataclasses
from pathlib import Path

import pytest

from encoders.catalogue.baseline import BASELINE
from encoders.encoder import EncoderError, EncoderOptions
from encoders.extras import imported
from encoders.registry import make, missing

EXTRA = "likeness-node[timm]"


def package(folder: Path, name: str, content: str, monkeypatch: pytest.MonkeyPatch) -> str:
    (folder / f"{name}.py").write_text(content)
    monkeypatch.syspath_prepend(folder)
    return name


def test_an_absent_package_comes_with_what_to_install() -> None:
    with pytest.raises(EncoderError, match="no package likeness_absent") as caught:
        imported("likeness_absent", EXTRA)
    assert "pip install 'likeness-node[timm]'" in str(caught.value)
    needs_it = dataclasses.replace(BASELINE, packages={"likeness_absent": EXTRA})
    assert "likeness_absent" in missing(needs_it)[0]
    with pytest.raises(EncoderError, match="baseline lacks package likeness_absent"):
        make(needs_it, EncoderOptions())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("raise RuntimeError('operator torchvision::nms does not exist')", "build that belongs"),
        ("raise OSError('libcudart.so.13: cannot open shared object file')", "OSError: libcudart"),
        ("import likeness_absent", "ModuleNotFoundError: No module named 'likeness_absent'"),
        ("import os; os.no_such_name", "AttributeError"),
    ],
)
def test_a_package_that_cannot_be_imported_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, reason: str
) -> None:
    name = package(tmp_path, "likeness_broken", content, monkeypatch)
    broken = dataclasses.replace(BASELINE, packages={name: EXTRA})
    assert missing(broken) == []  # it is here; nothing is imported to list encoders
    with pytest.raises(EncoderError, match="likeness_broken is here but cannot be imported") as it:
        make(broken, EncoderOptions())
    assert reason in str(it.value)


def test_a_good_one_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = package(tmp_path, "likeness_good", "answer = 42", monkeypatch)
    assert imported(name, EXTRA).answer == 42
