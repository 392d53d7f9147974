"""A snapshot from the database alone, and a reader that has none until it is there."""

import resource
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from storage import embeddings
from storage.database_index import DatabaseIndex
from storage.index import FarBehindError, VectorIndex, load_caught_up, open_index, snapshot_path
from storage.index_check import check
from storage.index_reader import SnapshotReader
from storage.index_rebuild import rebuild
from storage.vector_stream import BLOCK_ROWS
from storage.vectors.choice import EXACT, Choice, Kind
from storage.vectors.metric import VectorError
from tests.storage.made import add_study, space, unit

SPACE = space(3)
COUNT = BLOCK_ROWS + 100
GRAPH = Choice(Kind.HNSW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a snapshot that is not there yet."""
    return snapshot_path(tmp_path / "index", SPACE.id)


def _archive(engine: Engine, count: int = COUNT) -> None:
    with engine.begin() as connection:
        gone = add_study(connection, SPACE, "1.0", [unit(0, 0, 1)])
        add_study(connection, SPACE, "1.1", [unit(1, n, n * n) for n in range(count)])
        embeddings.retire_study(connection, space_id=SPACE.id, study_id=gone)


@pytest.mark.parametrize("choice", [EXACT, GRAPH])
def test_what_is_written_is_the_database(engine: Engine, path: Path, choice: Choice) -> None:
    _archive(engine)
    told: list[tuple[int, int]] = []
    assert rebuild(engine, path, SPACE, choice, reading=lambda *far: told.append(far)) == COUNT
    assert told == [(BLOCK_ROWS, COUNT), (COUNT, COUNT)]
    with engine.connect() as connection:
        index = VectorIndex.load(path, SPACE)
        assert (index.catch_up(connection), index.choice) == (0, choice)
        assert check(connection, index).faults == []


def test_what_comes_meanwhile_is_caught_up(engine: Engine, path: Path) -> None:
    _archive(engine)

    def come(done: int, _: int) -> None:
        with engine.begin() as connection:
            add_study(connection, SPACE, f"1.9.{done}", [unit(0, 1, 0)])

    rebuild(engine, path, SPACE, reading=come)
    with engine.connect() as connection:
        assert VectorIndex.load(path, SPACE).count == COUNT
        index = load_caught_up(connection, path, SPACE)
        assert (index.count, check(connection, index).faults) == (COUNT + 2, [])


def test_of_nothing_an_empty_one_is_written(engine: Engine, path: Path) -> None:
    assert rebuild(engine, path, SPACE) == 0
    assert VectorIndex.load(path, SPACE).count == 0


class _EnoughError(Exception):
    pass


def test_what_stops_it_leaves_nothing_behind(engine: Engine, path: Path) -> None:
    _archive(engine)

    def enough(_: int, __: int) -> None:
        raise _EnoughError

    for choice in (EXACT, GRAPH):
        with pytest.raises(_EnoughError):
            rebuild(engine, path, SPACE, choice, reading=enough)
    assert list(path.parent.iterdir()) == []


def test_a_full_disk_is_told(engine: Engine, path: Path) -> None:
    _archive(engine)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9000, limits[1]))  # a disk with no more room
    try:
        with pytest.raises(OSError, match="too large"):
            rebuild(engine, path, SPACE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(path.parent.iterdir()) == []


def test_what_is_no_unit_vector_is_told(engine: Engine, path: Path) -> None:
    _archive(engine, 1)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE embeddings SET vector = :v WHERE vector IS NOT NULL"),
            {"v": np.ones(3, np.float32).tobytes()},
        )
    with pytest.raises(VectorError, match=r"length 1\.7321 is not of unit length"):
        rebuild(engine, path, SPACE)


def test_a_snapshot_that_is_far_behind_is_not_caught_up(engine: Engine, path: Path) -> None:
    _archive(engine, 3)
    rebuild(engine, path, SPACE)
    with engine.begin() as connection:
        add_study(connection, SPACE, "1.2", [unit(1, n, 0) for n in range(6)])
        with pytest.raises(FarBehindError, match="more than 5 changes came since change 5"):
            load_caught_up(connection, path, SPACE, most=5)
        assert open_index(connection, path.parent, SPACE, most=5) is None
        assert path.exists()  # it is none that is not to be trusted
        assert load_caught_up(connection, path, SPACE, most=6).count == 9


def test_a_reader_goes_over_to_the_snapshot_once_it_is_good(engine: Engine, path: Path) -> None:
    _archive(engine, 8)
    reader = SnapshotReader(path, SPACE, most=7)
    path.parent.mkdir()
    for content in (None, b"spoilt", b"spoilt too"):
        if content is not None:
            path.write_bytes(content)
        with engine.connect() as connection:
            for _ in range(2):
                assert isinstance(reader.now(connection), DatabaseIndex)
    rebuild(engine, path, SPACE)
    with engine.connect() as connection:
        index = reader.now(connection)
        assert isinstance(index, VectorIndex)
        assert (index.count, index.changed) == (8, 0)


def test_a_reader_of_few_reads_them_itself(engine: Engine, path: Path) -> None:
    _archive(engine, 7)
    with engine.connect() as connection:
        index = SnapshotReader(path, SPACE, most=7).now(connection)
        assert isinstance(index, VectorIndex)
        assert (index.count, index.changed) == (7, 7)


def test_a_reader_does_not_use_a_snapshot_of_another_past(engine: Engine, path: Path) -> None:
    _archive(engine, 3)
    rebuild(engine, path, SPACE)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM embeddings WHERE change = 4"))
        connection.execute(text("SELECT setval('embedding_changes', 3)"))
        index = SnapshotReader(path, SPACE).now(connection)
        assert (index.count, path.exists()) == (2, True)


def test_a_reader_is_not_ahead_of_the_transaction_that_it_answers_in(
    engine: Engine, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study goes, and the file is written anew, right after the transaction's first statement."""
    _archive(engine, 5)
    rebuild(engine, path, SPACE)
    reader = SnapshotReader(path, SPACE)
    with engine.connect() as connection:
        assert reader.now(connection).count == 5
    last_change = embeddings.last_change

    def and_then_it_changes(connection: Connection) -> int:
        last = last_change(connection)
        with engine.begin() as other:
            study = other.execute(
                text("SELECT id FROM studies WHERE study_instance_uid = '1.1'")
            ).scalar_one()
            embeddings.retire_study(other, space_id=SPACE.id, study_id=study)
        rebuild(engine, path, SPACE)
        return last

    monkeypatch.setattr("storage.index.save_after", lambda _count: 0)  # it is always time
    monkeypatch.setattr(embeddings, "last_change", and_then_it_changes)
    frozen = engine.execution_options(isolation_level="REPEATABLE READ")
    with frozen.connect() as connection:
        assert DatabaseIndex(connection, SPACE).count == 5
        assert reader.now(connection).count == 5
    monkeypatch.undo()
    with engine.connect() as connection:
        assert reader.now(connection).count == 0
