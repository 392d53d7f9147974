"""Snapshots beside the work: when they are written, what is built, and what does not stop it."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from dicom_node.index_keeper import IndexKeeper
from storage.index import SNAPSHOT_CHANGES, VectorIndex, snapshot_path
from storage.vectors.choice import EXACT, Choice, Kind, Precision
from tests.storage.made import add_study, space, unit
from tests.waiting import wait_until

SPACE = space(3)
GRAPH = Choice(Kind.HNSW, Precision.INT8)


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A transaction that is never committed."""
    with engine.connect() as opened:
        yield opened


def _grow(connection: Connection, index: VectorIndex, count: int) -> None:
    for number in range(count):
        add_study(connection, SPACE, f"1.{index.count}.{number}", [unit(1, number, 1)])
    index.catch_up(connection)


def test_a_snapshot_is_written_after_so_many_changes(
    connection: Connection, tmp_path: Path
) -> None:
    index = VectorIndex(SPACE.id, SPACE.dimension)
    path = snapshot_path(tmp_path, SPACE.id)
    keeper = IndexKeeper(index, path, EXACT)
    _grow(connection, index, SNAPSHOT_CHANGES - 1)
    keeper.look()
    keeper.end()
    assert not path.exists()
    _grow(connection, index, 1)
    keeper.look()
    wait_until(path.exists, "the snapshot")
    keeper.end()
    assert index.changed == 0
    assert VectorIndex.load(path, SPACE).watermark == index.watermark


def test_the_last_changes_are_written_at_the_end(connection: Connection, tmp_path: Path) -> None:
    index = VectorIndex(SPACE.id, SPACE.dimension)
    path = snapshot_path(tmp_path, SPACE.id)
    keeper = IndexKeeper(index, path, EXACT)
    _grow(connection, index, 2)
    keeper.close()
    assert VectorIndex.load(path, SPACE).count == 2


def test_another_engine_is_built_beside_the_work(connection: Connection, tmp_path: Path) -> None:
    index = VectorIndex(SPACE.id, SPACE.dimension)
    path = snapshot_path(tmp_path, SPACE.id)
    _grow(connection, index, 30)
    index.save(path)
    keeper = IndexKeeper(index, path, GRAPH)
    keeper.look()
    wait_until(lambda: index.choice == GRAPH, "the graph")
    keeper.close()
    again = VectorIndex.load(path, SPACE)
    assert (again.choice, again.count) == (GRAPH, 30)
    assert again.ids().tolist() == index.ids().tolist()


def test_a_disk_that_fails_stops_nothing(
    connection: Connection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    index = VectorIndex(SPACE.id, SPACE.dimension)
    (tmp_path / "no folder").write_text("a file")
    keeper = IndexKeeper(index, tmp_path / "no folder" / "a.index", EXACT)
    _grow(connection, index, 2)
    with caplog.at_level(logging.WARNING):
        keeper.close()
    assert "answers go on without it" in caplog.text
    assert index.count == 2
