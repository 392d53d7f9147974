"""The worker's index: at hand at once, rebuilt beside the work, and never searched half built."""

import fcntl
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, text

from dicom_node import index_progress
from dicom_node.index_keeper import StoppedBuildingError
from dicom_node.index_progress import RebuildProgress, rebuilding
from dicom_node.own_index import OwnIndex
from dicom_node.settings import Settings
from dicom_node.status import status_of
from storage import spaces
from storage.database_index import DatabaseIndex
from storage.index import VectorIndex, snapshot_path
from storage.index_check import check
from storage.searchable import Searchable
from storage.vectors.choice import EXACT, Choice, Kind
from tests.storage.made import add_study, space, unit
from tests.waiting import wait_until

SPACE = space(3)
COUNT = 30
GRAPH = Choice(Kind.HNSW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a snapshot that is not there yet."""
    return snapshot_path(tmp_path / "index", SPACE.id)


@pytest.fixture(autouse=True)
def _archive(engine: Engine) -> None:
    with engine.begin() as connection:
        add_study(connection, SPACE, "1.1", [unit(1, n, n * n) for n in range(COUNT)])


@contextmanager
def owned(
    engine: Engine, path: Path, choice: Choice = EXACT, most: int = COUNT - 1
) -> Iterator[OwnIndex]:
    """An index that has begun, for as long as the block lasts."""
    index = OwnIndex(engine, path, SPACE, choice, node="2.25.1", most=most)
    index.begin()
    try:
        yield index
    finally:
        index.end()


def _now(engine: Engine, index: OwnIndex) -> Searchable:
    with engine.connect() as connection:
        return index.now(connection)


def _in_memory(engine: Engine, index: OwnIndex) -> bool:
    return isinstance(_now(engine, index), VectorIndex)


def test_few_vectors_are_read_at_once(engine: Engine, path: Path) -> None:
    index = OwnIndex(engine, path, SPACE, EXACT, node="2.25.1", most=COUNT)
    assert _now(engine, index).count == COUNT


def test_the_database_answers_until_many_are_in_a_file(engine: Engine, path: Path) -> None:
    index = OwnIndex(engine, path, SPACE, EXACT, node="2.25.1", most=COUNT - 1)
    with engine.connect() as connection:
        answering = index.now(connection)
        assert isinstance(answering, DatabaseIndex)
        [found] = answering.search_each(unit(1, 3, 9)[np.newaxis], 1)
        assert found[0].key == answering.ids()[3]
    with owned(engine, path) as index:
        wait_until(lambda: _in_memory(engine, index), "the rebuilt index")
        with engine.connect() as connection:
            rebuilt = index.now(connection)
            assert isinstance(rebuilt, VectorIndex)
            assert (rebuilt.count, rebuilt.changed) == (COUNT, 0)
            assert check(connection, rebuilt).faults == []


def test_the_engine_that_is_wanted_is_built_afterwards(engine: Engine, path: Path) -> None:
    def choice(index: OwnIndex) -> Choice | None:
        index.look()
        found = _now(engine, index)
        return found.choice if isinstance(found, VectorIndex) else None

    with owned(engine, path, GRAPH) as index:
        wait_until(lambda: choice(index) == GRAPH, "the graph")


def test_what_others_write_is_taken_in_unasked(engine: Engine, path: Path) -> None:
    with owned(engine, path, most=COUNT) as index:
        assert index.held == COUNT
        with engine.begin() as connection:
            add_study(connection, SPACE, "1.2", [unit(0, 1, 0)])
        wait_until(lambda: index.held == COUNT + 1, "the other's vector", 1.0)


def test_a_rebuild_that_fails_is_told_and_tried_again(
    engine: Engine, path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_progress, "FIRST_WAIT_S", 0.01)

    def told() -> list[str]:
        with engine.connect() as connection:
            return [said.fault for said in rebuilding(spaces.known(connection)[0]).values()]

    path.parent.mkdir()
    with path.with_name(f"{path.name}.writing").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)  # another owner, say
        with caplog.at_level(logging.ERROR), owned(engine, path) as index:
            wait_until(lambda: "another process is writing" in "".join(told()), "the fault")
            assert "answers come from the database" in caplog.text
            assert not _in_memory(engine, index)
            fcntl.flock(other, fcntl.LOCK_UN)
            wait_until(lambda: _in_memory(engine, index), "the rebuilt index")
    assert told() == []


def test_a_node_that_stops_gives_the_rebuild_up(engine: Engine) -> None:
    stop = threading.Event()
    with RebuildProgress(engine, SPACE.id, "2.25.1", stop) as progress:
        progress.reading(1, 2)
        stop.set()
        with pytest.raises(StoppedBuildingError):
            progress.reading(2, 2)


def test_how_far_it_is_is_told_and_forgotten_at_the_end(
    engine: Engine,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index_progress, "TELL_S", 0.0)

    def said() -> str | None:
        with engine.connect() as connection:
            found = status_of(connection, Settings(data_folder=tmp_path))["index"]
        return None if found is None else str(found["text"])

    with caplog.at_level(logging.INFO):
        with RebuildProgress(engine, SPACE.id, "2.25.1", threading.Event()) as progress:
            progress.reading(250, 1000)
            assert "250 of 1000 vectors (25%), " in str(said())
        assert said() is None
    assert "250 of 1000 vectors (25%)" in caplog.text


@pytest.mark.parametrize("most", [COUNT, 1], ids=["few", "many"])
@pytest.mark.parametrize("saved", [True, False])
def test_an_index_ahead_of_a_restored_database_is_made_anew(
    engine: Engine, path: Path, most: int, saved: bool
) -> None:
    with owned(engine, path, most=COUNT) as whole:
        _now(engine, whole)
        if saved:
            whole.close()
    if not saved:
        path.unlink(missing_ok=True)
    with owned(engine, path, most=COUNT) as index:
        _now(engine, index)
        index._most = most
        with engine.begin() as connection:  # from a backup of before the last five came
            connection.execute(
                text("DELETE FROM embeddings WHERE change > :last"), {"last": COUNT - 5}
            )
            connection.execute(text("SELECT setval('embedding_changes', :n)"), {"n": COUNT - 5})
        _now(engine, index)
        with engine.begin() as connection:
            add_study(connection, SPACE, "1.2", [unit(n, -1, 1) for n in range(3)])
        wait_until(lambda: _in_memory(engine, index), "the index to be made anew")
        with engine.connect() as connection:
            now = index.now(connection)
            assert isinstance(now, VectorIndex)
            assert (check(connection, now).faults, now.count) == ([], COUNT - 5 + 3)
