"""With which encoder a worker starts."""

import logging
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from dicom_node.changeover.progress import waiting_reason
from dicom_node.changeover.start import (
    MustEmbedAgainError,
    encoder_to_work_with,
    stop_when_left,
)
from dicom_node.making import make_encoder, maker_of, summary_of
from dicom_node.settings import EncoderSettings, Settings
from encoders.encoder import EncoderError
from storage import spaces
from storage.answer import SpaceSummary
from storage.spaces import Maker
from tests.dicom_node.changeover_archive import npz, used, wanted
from tests.storage.made import NODE, add_study, unit

GONE = Maker("precomputed", "/gone/vectors.npz")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_folder=tmp_path)


def _start(engine: Engine, settings: Settings) -> SpaceSummary:
    return summary_of(encoder_to_work_with(engine, settings, node=NODE).space)


def _baseline(settings: Settings) -> SpaceSummary:
    return summary_of(make_encoder(settings, Maker("baseline")).space)


def _use(engine: Engine, space: SpaceSummary, maker: Maker, *, vectors: bool) -> None:
    with engine.begin() as connection:
        spaces.use(connection, space, maker)
        if vectors:
            first = unit(1, *[0] * (space.dimension - 1))
            add_study(connection, space, "1.2.3", [first])


def _by_file(path: Path) -> Settings:
    """Settings that name vectors computed elsewhere."""
    name = EncoderSettings(name="precomputed", weights=npz(path / "vectors.npz", [1]))
    return Settings(data_folder=path, encoder=name)


def test_a_new_archive_starts_with_the_settings_encoder(tmp_path: Path, engine: Engine) -> None:
    settings = _by_file(tmp_path)
    assert _start(engine, settings) == used(engine).summary
    assert used(engine).maker == Maker("precomputed", str(tmp_path / "vectors.npz"))
    assert used(engine).maker == maker_of(settings)


def test_an_archive_goes_on_as_it_was_whatever_the_settings_name(
    tmp_path: Path, engine: Engine, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    _start(engine, settings)
    since = used(engine).used_since
    assert _start(engine, _by_file(tmp_path)) == _baseline(settings)
    assert used(engine).used_since == since
    assert wanted(engine) is None
    [warning] = caplog.messages
    assert "the archive answers by encoder baseline: `likeness encoders add precomputed`" in warning


def test_another_precision_is_another_space_and_only_told(
    engine: Engine, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    _start(engine, settings)
    faster = EncoderSettings(precision="bf16")
    assert _start(engine, settings.model_copy(update={"encoder": faster})) == _baseline(settings)
    assert "the settings name encoder baseline bf16" in caplog.text


def test_how_an_earlier_version_made_it_is_written_down(engine: Engine, settings: Settings) -> None:
    _use(engine, _baseline(settings), Maker(), vectors=True)
    assert _start(engine, settings) == _baseline(settings)
    assert used(engine).maker == Maker("baseline")


def test_an_earlier_versions_space_goes_on_though_the_settings_changed_with_the_upgrade(
    tmp_path: Path, engine: Engine, settings: Settings
) -> None:
    _use(engine, _baseline(settings), Maker(), vectors=True)
    assert _start(engine, _by_file(tmp_path)) == _baseline(settings)


def test_weights_that_were_moved_are_found_by_the_settings(tmp_path: Path, engine: Engine) -> None:
    before = _by_file(tmp_path)
    space = _start(engine, before)
    _use(engine, space, maker_of(before), vectors=True)
    moved = (tmp_path / "vectors.npz").rename(tmp_path / "moved.npz")
    name = EncoderSettings(name="precomputed", weights=moved)
    assert _start(engine, before.model_copy(update={"encoder": name})) == space
    assert used(engine).maker == Maker("precomputed", str(moved))


@pytest.mark.parametrize("maker", [GONE, Maker("baseline"), Maker()])
def test_an_empty_archive_takes_the_settings_encoder(
    engine: Engine, settings: Settings, maker: Maker
) -> None:
    """Whether its own cannot be made any more, or is another by now."""
    _use(engine, replace(_baseline(settings), id="older"), maker, vectors=False)
    assert _start(engine, settings) == _baseline(settings)
    assert used(engine).summary == _baseline(settings)


@pytest.mark.parametrize(
    ("maker", "why"),
    [
        (Maker("baseline"), r"encoder_version is '\d+' instead of 'older'"),
        (GONE, "weights file /gone/vectors.npz"),
    ],
)
def test_an_archive_whose_encoder_cannot_be_had_is_embedded_again(
    engine: Engine, settings: Settings, maker: Maker, why: str
) -> None:
    older = replace(_baseline(settings), id="older", encoder_version="older")
    _use(engine, older, maker, vectors=True)
    with pytest.raises(MustEmbedAgainError, match=why) as raised:
        _start(engine, settings)
    assert raised.value.in_use == "older"
    found = wanted(engine)
    assert found is not None
    assert (found.summary, found.maker) == (_baseline(settings), Maker("baseline"))
    assert used(engine).summary == older
    assert waiting_reason(used(engine), NODE) == str(raised.value)


def test_a_space_that_is_wanted_already_is_waited_for(
    tmp_path: Path, engine: Engine, settings: Settings
) -> None:
    _use(engine, replace(_baseline(settings), id="older"), GONE, vectors=True)
    other = replace(_baseline(settings), id="other", encoder="precomputed")
    with engine.begin() as connection:
        spaces.want(connection, other, GONE)
    with pytest.raises(MustEmbedAgainError, match="by precomputed into space other"):
        _start(engine, settings)
    found = wanted(engine)
    assert found is not None
    assert found.id == "other"


def test_where_nothing_can_be_made_all_reasons_are_told(engine: Engine, settings: Settings) -> None:
    _use(engine, replace(_baseline(settings), id="older"), GONE, vectors=True)
    lacking = EncoderSettings(name="precomputed", weights=Path("/lost/vectors.npz"))
    with pytest.raises(EncoderError, match=r"(?s)/gone/vectors.npz.*/lost/vectors.npz"):
        _start(engine, settings.model_copy(update={"encoder": lacking}))
    assert wanted(engine) is None


def test_what_it_waited_for_is_forgotten_when_it_works_again(
    tmp_path: Path, engine: Engine, settings: Settings
) -> None:
    by_file = _by_file(tmp_path)
    space = _start(engine, by_file)
    _use(engine, space, maker_of(by_file), vectors=True)
    aside = (tmp_path / "vectors.npz").rename(tmp_path / "aside.npz")
    with pytest.raises(MustEmbedAgainError):
        _start(engine, settings)
    aside.rename(tmp_path / "vectors.npz")
    assert _start(engine, settings) == space
    assert waiting_reason(used(engine), NODE) is None


@pytest.mark.parametrize("ended", ["switched", "given up", "stopped"])
def test_the_wait_ends(engine: Engine, settings: Settings, ended: str) -> None:
    older = replace(_baseline(settings), id="older")
    _use(engine, older, GONE, vectors=True)
    with engine.begin() as connection:
        spaces.want(connection, _baseline(settings), Maker("baseline"))
    stop = threading.Event()
    waiting = threading.Thread(
        target=stop_when_left, args=(engine, "older", stop), kwargs={"only_while_wanted": True}
    )
    waiting.start()
    with engine.begin() as connection:
        if ended == "switched":
            spaces.use(connection, _baseline(settings))
        elif ended == "given up":
            spaces.unwant(connection)
    if ended == "stopped":
        stop.set()
    waiting.join(20)
    assert (waiting.is_alive(), stop.is_set()) == (False, True)


def test_two_nodes_that_start_at_once_take_one_space(
    tmp_path: Path, engine: Engine, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    found: list[SpaceSummary] = []
    starts = [
        threading.Thread(target=lambda way=way: found.append(_start(engine, way)))
        for way in (settings, _by_file(tmp_path)) * 3
    ]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert found == [used(engine).summary] * 6
