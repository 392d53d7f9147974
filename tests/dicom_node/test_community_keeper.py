"""Communities beside the work: when they are made, of what, and what does not stop the node."""

import logging
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from dicom_node import community_division
from dicom_node import community_keeper as keeping
from dicom_node.community_division import Wanted
from dicom_node.community_keeper import CommunityKeeper, community_keeper, redo_after
from dicom_node.settings import IndexSettings
from storage import embeddings
from storage.communities.kept import About, about, load, path_beside
from storage.communities.partition import Method
from storage.index import VectorIndex, snapshot_path
from tests.storage.made import add_study, row_of, space, unit

SPACE = space(3)
DIVIDED = IndexSettings(communities="louvain", communities_degree=3)


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A transaction that is never committed."""
    with engine.connect() as opened:
        yield opened


@pytest.fixture
def index() -> VectorIndex:
    """Of a space of which nothing is held yet."""
    return VectorIndex.empty(SPACE)


def _grow(connection: Connection, index: VectorIndex, count: int) -> None:
    vectors = np.random.default_rng(index.count).normal(size=(count, 3))
    study = f"1.{index.watermark}"
    add_study(connection, SPACE, study, [unit(*vector) for vector in vectors])
    index.catch_up(connection)


def _keeper(folder: Path, settings: IndexSettings = DIVIDED) -> CommunityKeeper:
    keeper = community_keeper(snapshot_path(folder, SPACE.id), settings, SPACE)
    assert keeper is not None
    return keeper


def _looked(keeper: CommunityKeeper, index: VectorIndex, folder: Path) -> About | None:
    """What is there once the keeper has looked, and done what it began."""
    keeper.look(index)
    keeper.end()
    path = path_beside(snapshot_path(folder, SPACE.id))
    return about(path, SPACE.id) if path.exists() else None


def test_there_are_none_where_nobody_asks_for_them(tmp_path: Path) -> None:
    assert community_keeper(tmp_path / "a.index", IndexSettings(), SPACE) is None


def test_codes_have_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    codes = replace(SPACE, metric="hamming")
    assert community_keeper(tmp_path / "a.index", DIVIDED, codes) is None
    assert "goes by hamming" in caplog.text


def test_they_are_made_once_there_are_more_vectors_than_the_degree(
    connection: Connection, index: VectorIndex, tmp_path: Path
) -> None:
    keeper = _keeper(tmp_path)
    _grow(connection, index, 3)
    assert _looked(keeper, index, tmp_path) is None
    _grow(connection, index, 1)
    found = _looked(keeper, index, tmp_path)
    assert found is not None
    assert (found.watermark, found.vectors) == (index.watermark, 4)
    assert (found.method, found.degree) == (Method.LOUVAIN, 3)
    kept = load(path_beside(snapshot_path(tmp_path, SPACE.id)), SPACE.id).index
    assert kept.keys.tolist() == index.ids().tolist()
    np.testing.assert_array_equal(kept.vectors, index.vectors(index.ids()))


def test_they_are_made_anew_after_so_many_changes(
    connection: Connection, index: VectorIndex, tmp_path: Path
) -> None:
    keeper = _keeper(tmp_path)
    _grow(connection, index, 40)
    first = _looked(keeper, index, tmp_path)
    _grow(connection, index, 3)
    assert _looked(keeper, index, tmp_path) == first
    assert _looked(_keeper(tmp_path), index, tmp_path) == first  # nor by a start of the node
    _grow(connection, index, 1)
    found = _looked(keeper, index, tmp_path)
    assert found is not None
    assert found.vectors == 44


@pytest.mark.parametrize(("vectors", "changes"), [(4, 1), (19, 1), (20, 2), (1010, 101)])
def test_a_tenth_is_enough(vectors: int, changes: int) -> None:
    assert redo_after(vectors) == changes


def test_what_was_retired_is_gone_the_next_time(
    connection: Connection, index: VectorIndex, tmp_path: Path
) -> None:
    _grow(connection, index, 150)
    before = _looked(_keeper(tmp_path), index, tmp_path)
    row = row_of(connection, "1.0")
    add_study(connection, SPACE, "2", [unit(1, n, 1) for n in range(20)])
    embeddings.retire_study(connection, space_id=SPACE.id, study_id=row)
    index.catch_up(connection)
    found = _looked(_keeper(tmp_path), index, tmp_path)
    assert before is not None
    assert found is not None
    assert (before.vectors, found.vectors) == (150, 20)


@pytest.mark.parametrize("change", [{"communities": "leiden"}, {"communities_degree": 5}])
def test_another_setting_makes_them_anew(
    connection: Connection, index: VectorIndex, tmp_path: Path, change: dict[str, object]
) -> None:
    _grow(connection, index, 10)
    first = _looked(_keeper(tmp_path), index, tmp_path)
    found = _looked(_keeper(tmp_path, DIVIDED.model_copy(update=change)), index, tmp_path)
    assert first is not None
    assert found is not None
    assert (found.method, found.degree) != (first.method, first.degree)


def test_a_restored_database_makes_them_anew(
    connection: Connection, index: VectorIndex, tmp_path: Path
) -> None:
    _grow(connection, index, 10)
    keeper = _keeper(tmp_path)
    _looked(keeper, index, tmp_path)
    index.watermark -= 1
    for one in (keeper, _keeper(tmp_path)):
        found = _looked(one, index, tmp_path)
        assert found is not None
        assert found.watermark == index.watermark
        index.watermark -= 1


def test_an_altered_file_is_made_anew(
    connection: Connection, index: VectorIndex, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = path_beside(snapshot_path(tmp_path, SPACE.id))
    path.write_bytes(b"nonsense")
    _grow(connection, index, 10)
    found = _looked(_keeper(tmp_path), index, tmp_path)
    assert found is not None
    assert found.vectors == 10
    assert "communities are made anew" in caplog.text


def test_a_missing_extra_is_told_once_and_stops_nothing(
    connection: Connection,
    index: VectorIndex,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "igraph", None)
    keeper = _keeper(tmp_path)
    _grow(connection, index, 10)
    for _ in range(3):
        assert _looked(keeper, index, tmp_path) is None
        _grow(connection, index, 10)
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 1
    assert "communities need igraph" in said[0]
    assert "pip install 'likeness-node[communities]'" in said[0]


def test_a_disk_that_fails_stops_nothing(
    connection: Connection, index: VectorIndex, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "no folder").write_text("a file")
    _grow(connection, index, 10)
    keeper = _keeper(tmp_path / "no folder")
    assert _looked(keeper, index, tmp_path) is None
    assert "communities were not made" in caplog.text


def _dies(said: Pipe, wanted: Wanted) -> None:
    os._exit(3)


def _never_ends(said: Pipe, wanted: Wanted) -> None:
    threading.Event().wait()


def test_a_process_that_dies_stops_nothing(
    connection: Connection,
    index: VectorIndex,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _grow(connection, index, 10)
    keeper = _keeper(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(community_division, "divide", _dies)
        assert _looked(keeper, index, tmp_path) is None
    assert "communities were not made" in caplog.text
    assert "died (exit code 3)" in caplog.text
    _grow(connection, index, 1)  # what fails is tried after as many changes
    found = _looked(keeper, index, tmp_path)
    assert found is not None
    assert found.vectors == 11


def test_what_takes_too_long_is_broken_off_at_the_end(
    connection: Connection,
    index: VectorIndex,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(community_division, "divide", _never_ends)
    monkeypatch.setattr(keeping, "END_S", 0.1)
    _grow(connection, index, 10)
    assert _looked(_keeper(tmp_path), index, tmp_path) is None
    assert "died (exit code -9)" in caplog.text
