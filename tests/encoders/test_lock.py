"""The lock of fetched weights: what is in it, what is no lock, and where files may lie."""

import dataclasses
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoders.declaration import Declaration, Hub
from encoders.encoder import EncoderError, EncoderOptions
from encoders.fetched import kept_path, lack_of_weights, located
from encoders.lock import Lock, Locked, file_path, lock_path, locked_path, read_lock, write_locked

LOCKED = Locked(
    repository="made/weights",
    revision="main",
    commit="0" * 40,
    file="model.safetensors",
    size=4,
    sha256="a" * 64,
    fetched_at="2026-11-21T10:00:00+00:00",
)
MADE = Declaration(
    name="made", summary="", network="", dimension=1, licence="", source=Hub("made/weights")
)


def test_what_is_written_is_read_and_others_stay(tmp_path: Path) -> None:
    write_locked(tmp_path, "one", LOCKED)
    other = LOCKED.model_copy(update={"size": 5})
    write_locked(tmp_path, "two", other)
    assert read_lock(tmp_path) == Lock(encoders={"one": LOCKED, "two": other})
    assert [path.name for path in tmp_path.iterdir()] == ["lock.json"]
    assert lock_path(tmp_path).stat().st_mode & 0o777 == 0o644


def test_no_lock_is_no_fault(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "never") == Lock()


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    names = [f"encoder {number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: write_locked(tmp_path, name, LOCKED), names))
    assert sorted(read_lock(tmp_path).encoders) == sorted(names)


def broken(**changes: object) -> str:
    entry: dict[str, Any] = {**LOCKED.model_dump(), **changes}
    return json.dumps({"version": 1, "encoders": {"made": entry}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "Invalid JSON"),
        ('{"version": 1, "encoders": {"made"', "Invalid JSON"),
        ("\x00\x00", "Invalid JSON"),
        ("[]", "broken"),
        ('{"version": 2, "encoders": {}}', "version"),
        ('{"version": 1, "encoders": []}', "encoders"),
        (broken(commit="../../../etc"), "encoders.made.commit"),
        (broken(commit="A" * 40), "encoders.made.commit"),
        (broken(commit="0" * 40 + "\n"), "encoders.made.commit"),
        (broken(sha256=""), "encoders.made.sha256"),
        (broken(size=-1), "encoders.made.size"),
        (broken(size="4"), "encoders.made.size"),
        (broken(size=True), "encoders.made.size"),
        (broken(repository=None), "encoders.made.repository"),
        (broken(surprise=1), "encoders.made.surprise"),
    ],
)
def test_a_broken_lock_is_named_and_left_as_it_is(tmp_path: Path, text: str, expected: str) -> None:
    lock_path(tmp_path).write_text(text)
    options = EncoderOptions(folder=tmp_path)
    with pytest.raises(EncoderError, match=r"lock\.json is broken") as caught:
        located(MADE, options)
    assert expected in str(caught.value)
    assert "remove it and fetch each encoder again" in (lack_of_weights(MADE, options) or "")
    with pytest.raises(EncoderError):
        write_locked(tmp_path, "other", LOCKED)
    assert lock_path(tmp_path).read_text() == text


def test_a_lock_that_cannot_be_read(tmp_path: Path) -> None:
    lock_path(tmp_path).mkdir()
    with pytest.raises(EncoderError, match=r"lock\.json cannot be read: Is a directory"):
        read_lock(tmp_path)


@pytest.mark.parametrize("source", [Hub("other/weights"), Hub("made/weights", file="other.bin")])
def test_weights_of_another_source_are_refused(tmp_path: Path, source: Hub) -> None:
    write_locked(tmp_path, "made", LOCKED)
    with pytest.raises(EncoderError, match=r"has model.safetensors of made/weights for made"):
        located(dataclasses.replace(MADE, source=source), EncoderOptions(None, tmp_path, True))


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    write_locked(tmp_path, "made", LOCKED)
    path = locked_path(tmp_path, LOCKED)
    with pytest.raises(EncoderError, match="likeness encoders fetch made") as caught:
        located(MADE, EncoderOptions(folder=tmp_path))
    assert f"weights file {path}" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (EncoderOptions(), "likeness encoders fetch made"),
        (EncoderOptions(weights=Path("gone.safetensors")), "gone.safetensors"),
    ],
)
def test_nothing_fetched(options: EncoderOptions, expected: str) -> None:
    with pytest.raises(EncoderError, match=expected):
        located(MADE, options)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (Hub("made/weights", gated=True), "after accepting the terms of made/weights"),
        (Hub("made/weights", file="model.bin"), "set encoder.allow_pickle = true"),
    ],
)
def test_what_else_a_fetch_takes_is_told(source: Hub, expected: str) -> None:
    lack = lack_of_weights(dataclasses.replace(MADE, source=source), EncoderOptions())
    assert lack is not None
    assert expected in lack


def test_a_fetched_pickle_lacks_only_the_leave(tmp_path: Path) -> None:
    pickled = LOCKED.model_copy(update={"file": "model.bin"})
    write_locked(tmp_path, "made", pickled)
    path = locked_path(tmp_path, pickled)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"1234")
    made = dataclasses.replace(MADE, source=Hub("made/weights", file="model.bin"))
    assert "leave to open pickles" in (lack_of_weights(made, EncoderOptions(folder=tmp_path)) or "")
    assert lack_of_weights(made, EncoderOptions(None, tmp_path, True)) is None


def test_what_was_fetched_before_can_still_be_found(tmp_path: Path) -> None:
    newer = LOCKED.model_copy(update={"commit": "1" * 40, "sha256": "b" * 64})
    for locked in (LOCKED, newer, LOCKED, newer):
        write_locked(tmp_path, "made", locked)
        locked_path(tmp_path, locked).parent.mkdir(parents=True, exist_ok=True)
        locked_path(tmp_path, locked).write_bytes(b"1234")
    assert read_lock(tmp_path).all_of("made") == (newer, LOCKED)
    assert kept_path("made", tmp_path, LOCKED.sha256) == locked_path(tmp_path, LOCKED)
    assert kept_path("made", tmp_path, newer.sha256) == locked_path(tmp_path, newer)
    assert kept_path("made", tmp_path, "c" * 64) is None
    locked_path(tmp_path, LOCKED).unlink()
    assert kept_path("made", tmp_path, LOCKED.sha256) is None


NAMES = ["..", ".", "a b", "a%20b", "x\0y", "~", "ä", "a\\b", "a:b"]


def test_every_name_has_a_folder_of_its_own_inside(tmp_path: Path) -> None:
    paths = [file_path(tmp_path, name, "0" * 40, "sub/../model.bin") for name in NAMES]
    assert len({path.parent.parent for path in paths}) == len(NAMES)
    for path in paths:
        inside = path.resolve().relative_to(tmp_path.resolve())
        assert inside.parts[1:] == ("0" * 40, "sub%2F..%2Fmodel.bin")


@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60))
def test_no_name_leads_out_of_the_folder(repository: str, file: str) -> None:
    try:
        path = file_path(Path("/weights"), repository, "0" * 40, file)
    except EncoderError:
        return
    assert Path(os.path.normpath(path)) == path
    assert path.parts[:2] == ("/", "weights")
    assert len(path.parts) == 5 + repository.count("/")
    assert "\0" not in str(path)


@pytest.mark.parametrize("name", ["", "x" * 300, "ä" * 100, "/", "a//b"])
def test_names_that_no_file_system_takes(name: str) -> None:
    with pytest.raises(EncoderError, match="to name a file"):
        file_path(Path(), name, "0" * 40, "f")
