"""Which weights the encoder of a known space is made with again."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from dicom_node.making import _kept_weights
from dicom_node.settings import Settings
from encoders.lock import Locked, locked_path, write_locked
from storage.spaces import Maker
from tests.storage.made import space

NAME = "rad-dino"
FIRST, SECOND = b"first", b"second"


def _fetched(folder: Path, commit: str, content: bytes) -> Path:
    """What ``likeness encoders fetch --again`` leaves."""
    locked = Locked(
        repository="microsoft/rad-dino",
        revision="main",
        commit=commit * 40,
        file="model.safetensors",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        fetched_at="2026-11-21T12:00:00+00:00",
    )
    path = locked_path(folder, locked)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    write_locked(folder, NAME, locked)
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_folder=tmp_path)


@pytest.fixture
def first(settings: Settings) -> Path:
    """Weights after which others were fetched."""
    path = _fetched(settings.weights_folder, "a", FIRST)
    _fetched(settings.weights_folder, "b", SECOND)
    return path


def _found(settings: Settings, content: bytes, maker: Maker | None = None) -> Path | None:
    digest = hashlib.sha256(content).hexdigest()
    known = replace(space(), encoder=NAME, weights_digest=digest)
    return _kept_weights(settings, maker or Maker(NAME), known)


def test_a_space_goes_on_with_its_weights_though_others_were_fetched(
    settings: Settings, first: Path
) -> None:
    assert _found(settings, FIRST) == first
    assert _found(settings, FIRST, Maker()) == first


@pytest.mark.parametrize("maker", [Maker(NAME), Maker(NAME, "/mine"), Maker("another")])
def test_otherwise_the_maker_says_it(settings: Settings, first: Path, maker: Maker) -> None:
    """The newest ones are checked by the lock; a path of the site's is the site's."""
    content = SECOND if maker == Maker(NAME) else FIRST
    assert _found(settings, content, maker) is None


def test_kept_weights_that_were_altered_are_not_taken(
    settings: Settings, first: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first.write_bytes(b"firSt")
    assert _found(settings, FIRST) is None
    assert f"{first} is not what was fetched" in caplog.text


def test_where_they_are_gone_nothing_is_taken(settings: Settings, first: Path) -> None:
    first.unlink()
    assert _found(settings, FIRST) is None
