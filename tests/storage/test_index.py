"""The index beside the database: its snapshot, how it catches up, and how the two are compared."""

import fcntl
import json
import logging
import re
import resource
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from storage import embeddings
from storage.index import (
    SNAPSHOT_CHANGES,
    SnapshotError,
    VectorIndex,
    forget,
    open_index,
    snapshot_path,
)
from storage.index_check import check
from storage.vectors.choice import Choice, Kind
from storage.vectors.sections import BusyError
from tests.storage.made import add_study, space, unit

SPACE = space(3)


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A transaction that is never committed."""
    with engine.connect() as opened:
        yield opened


def differences(connection: Connection, index: VectorIndex) -> list[str]:
    """What keeps the index from being the database's equal."""
    return check(connection, index).faults


def _archive(connection: Connection, count: int = 3) -> list[int]:
    """Studies 1.0, 1.1, ... of one vector each; returns their rows."""
    return [add_study(connection, SPACE, f"1.{n}", [unit(1, n, n * n)]) for n in range(count)]


def _current(connection: Connection) -> VectorIndex:
    index = VectorIndex(SPACE.id, SPACE.dimension)
    index.catch_up(connection)
    return index


def _opened(connection: Connection, folder: Path) -> VectorIndex:
    index = open_index(connection, folder, SPACE)
    assert index is not None
    return index


def _saved(connection: Connection, folder: Path) -> Path:
    path = snapshot_path(folder, SPACE.id)
    _current(connection).save(path)
    return path


def test_a_snapshot_gives_the_index_back(connection: Connection, tmp_path: Path) -> None:
    _archive(connection)
    index = VectorIndex.load(_saved(connection, tmp_path), SPACE)
    before = _current(connection)
    assert (index.count, index.watermark) == (3, before.watermark)
    assert index.ids().tolist() == before.ids().tolist()
    np.testing.assert_array_equal(index.vectors(index.ids()), before.vectors(before.ids()))
    assert index.catch_up(connection) == 0


def test_nothing_is_left_beside_the_snapshot(connection: Connection, tmp_path: Path) -> None:
    path = _saved(connection, tmp_path)
    _archive(connection)
    _saved(connection, tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_any_altered_byte_is_noticed(connection: Connection, tmp_path: Path) -> None:
    _archive(connection)
    path = _saved(connection, tmp_path)
    content = path.read_bytes()
    for at in range(0, len(content), 7):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(SnapshotError, match="altered"):
            VectorIndex.load(path, SPACE)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_snapshot_is_noticed(
    connection: Connection, tmp_path: Path, share: float
) -> None:
    _archive(connection)
    path = _saved(connection, tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(SnapshotError):
        VectorIndex.load(path, SPACE)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"space_id": "another"}, "it holds space another of 3"),
        ({"dimension": 4}, "cannot reshape"),
        ({"metric": "l2"}, "it holds space space-a of 3 (l2)"),
        ({"metric": "other"}, "'other' is not a valid Metric"),
        ({"count": 2}, "its 3 ids are not those of 2 vectors"),
        ({"choice": "magic-fp32"}, "'magic' is not a valid Kind"),
        ({"format": "likeness-index-0"}, "its format is 'likeness-index-0'"),
        ({"more": 1}, "unexpected keyword argument 'more'"),
    ],
)
def test_a_head_that_does_not_fit_is_told(
    connection: Connection, tmp_path: Path, changes: dict[str, object], expected: str
) -> None:
    _archive(connection)
    path = _saved(connection, tmp_path)
    content = path.read_bytes()
    said = json.loads(content[9:4096]) | changes
    line = json.dumps(said).encode().ljust(4086) + b"\n"
    path.write_bytes(b"%08x " % zlib.crc32(line) + line + content[4096:])
    with pytest.raises(SnapshotError, match=re.escape(expected)):
        VectorIndex.load(path, SPACE)


@pytest.mark.parametrize("line", [b"", b"\n", b"[]\n", b"{}\n", b"\xff\xfe\n", b"x" * 5000])
def test_a_file_that_is_no_snapshot_is_told(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "foreign.index"
    path.write_bytes(line)
    with pytest.raises(SnapshotError, match="no head of ours"):
        VectorIndex.load(path, SPACE)


def test_a_bad_snapshot_is_set_aside_and_the_index_rebuilt(
    connection: Connection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _archive(connection)
    path = _saved(connection, tmp_path)
    for number in (1, 2):
        path.write_bytes(b"spoilt %d" % number)
        with caplog.at_level(logging.WARNING):
            index = _opened(connection, tmp_path)
        assert differences(connection, index) == []
        assert index.count == 3
        assert not path.exists()
        aside = tmp_path / f"{path.name}.corrupt-{number}"
        assert aside.read_bytes() == b"spoilt %d" % number
        assert f"set aside as {aside.name}" in caplog.text


def test_nothing_is_left_of_a_space_that_is_forgotten(
    connection: Connection, tmp_path: Path
) -> None:
    """What was set aside holds vectors of patients, too."""
    other = snapshot_path(tmp_path, "another")
    other.write_bytes(b"stays")
    path = _saved(connection, tmp_path)
    path.write_bytes(b"spoilt")
    _opened(connection, tmp_path).save(path)
    path.with_name(f"{path.name}.building").write_bytes(b"left by a kill")
    assert len(list(tmp_path.iterdir())) == 4
    forget(tmp_path, SPACE.id)
    assert list(tmp_path.iterdir()) == [other]


def test_a_good_snapshot_is_caught_up_not_rebuilt(connection: Connection, tmp_path: Path) -> None:
    rows = _archive(connection)
    path = _saved(connection, tmp_path)
    embeddings.retire_study(connection, space_id=SPACE.id, study_id=rows[0])
    add_study(connection, SPACE, "1.9", [unit(0, 0, 1), unit(0, 1, 0)])
    index = VectorIndex.load(path, SPACE)
    assert index.catch_up(connection) == 3  # one retired, two new
    assert differences(connection, _opened(connection, tmp_path)) == []
    assert path.exists()


def test_a_snapshot_that_is_ahead_of_the_database_is_rebuilt(
    connection: Connection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A database restored from yesterday's backup knows nothing of what the index saw since."""
    _archive(connection)
    _saved(connection, tmp_path)
    connection.execute(text("DELETE FROM embeddings WHERE change = 3"))
    connection.execute(text("SELECT setval('embedding_changes', 2)"))
    index = _opened(connection, tmp_path)
    assert (index.count, differences(connection, index)) == (2, [])
    assert "it has seen change 3, the database only 2" in caplog.text


def test_a_reader_goes_on_from_the_owners_newer_snapshot(
    connection: Connection, tmp_path: Path
) -> None:
    rows = _archive(connection, SNAPSHOT_CHANGES + 20)
    reader, owner = _current(connection), _current(connection)
    path = snapshot_path(tmp_path, SPACE.id)
    owner.save(path)
    embeddings.retire_study(connection, space_id=SPACE.id, study_id=rows[3])
    add_study(connection, SPACE, "1.999", [unit(0, 0, 1)])
    reader.catch_up(connection)
    reader.follow(path)
    assert reader.changed == 2  # one left, one came since
    assert differences(connection, reader) == []


def test_a_reader_that_is_behind_the_snapshot_takes_all_of_it(
    connection: Connection, tmp_path: Path
) -> None:
    rows = _archive(connection, SNAPSHOT_CHANGES)
    reader = _current(connection)
    embeddings.retire_study(connection, space_id=SPACE.id, study_id=rows[3])
    path = _saved(connection, tmp_path)
    reader.follow(path)
    assert (reader.count, reader.changed) == (SNAPSHOT_CHANGES - 1, 0)
    assert differences(connection, reader) == []


@pytest.mark.parametrize("content", [None, b"spoilt"])
def test_a_reader_without_a_good_snapshot_stays_as_it_is(
    connection: Connection, tmp_path: Path, content: bytes | None
) -> None:
    _archive(connection, SNAPSHOT_CHANGES)
    reader = _current(connection)
    path = snapshot_path(tmp_path, SPACE.id)
    if content is not None:
        path.write_bytes(content)
    reader.follow(path)
    assert differences(connection, reader) == []


def test_a_full_disk_leaves_the_old_snapshot_and_the_index(
    connection: Connection, tmp_path: Path
) -> None:
    _archive(connection)
    path = _saved(connection, tmp_path)
    before = path.read_bytes()
    add_study(connection, SPACE, "1.9", [unit(0, 0, 1)])
    index = _current(connection)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, limits[1]))  # a disk with no more room
    try:
        with pytest.raises(OSError, match="too large"):
            index.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert differences(connection, index) == []


def test_of_two_who_write_a_snapshot_the_second_is_told(
    connection: Connection, tmp_path: Path
) -> None:
    path = _saved(connection, tmp_path)
    aside = path.with_name(f"{path.name}.writing")
    with aside.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match=f"another process is writing {aside.name}"):
            _current(connection).save(path)
    _current(connection).save(path)  # what a killed process left is begun anew
    assert list(tmp_path.iterdir()) == [path]


def test_without_a_snapshot_the_index_is_built(connection: Connection, tmp_path: Path) -> None:
    _archive(connection)
    assert _opened(connection, tmp_path / "none yet").count == 3


def test_vectors_of_another_space_stay_out(connection: Connection) -> None:
    _archive(connection)
    add_study(connection, space(3, "b"), "1.9", [unit(1, 0, 0)])
    assert _current(connection).count == 3


def test_equal_index_and_database_differ_in_nothing(connection: Connection) -> None:
    _archive(connection)
    assert differences(connection, _current(connection)) == []


def test_a_vector_missing_from_the_index_is_found(connection: Connection) -> None:
    _archive(connection, 1)
    empty = VectorIndex(SPACE.id, SPACE.dimension)
    (key,) = _current(connection).ids()
    assert differences(connection, empty) == [f"embedding {key} is not in the index"]


def test_a_retired_vector_still_in_the_index_is_found(connection: Connection) -> None:
    rows = _archive(connection, 2)
    index = _current(connection)
    first = index.ids()[0]
    embeddings.retire_study(connection, space_id=SPACE.id, study_id=rows[0])
    expected = [f"embedding {first} is in the index but not in the database"]
    assert differences(connection, index) == expected


def test_a_vector_of_a_deleted_study_is_found(connection: Connection) -> None:
    _archive(connection, 2)
    index = _current(connection)
    connection.execute(text("DELETE FROM studies WHERE study_instance_uid = '1.1'"))
    expected = [f"embedding {index.ids()[1]} is in the index but not in the database"]
    assert differences(connection, index) == expected


def test_a_vector_that_is_another_is_found(connection: Connection) -> None:
    _archive(connection, 2)
    index = _current(connection)
    key = int(index.ids()[1])
    nearly = index.vectors([key])[0].copy()
    nearly[0] = np.nextafter(nearly[0], np.float32(2))
    connection.execute(
        text("UPDATE embeddings SET vector = :v WHERE id = :id"),
        {"v": nearly.tobytes(), "id": key},
    )
    expected = [f"embedding {key} differs between index and database"]
    assert differences(connection, index) == expected


def test_a_sample_is_of_vectors_and_all_ids_are_compared(connection: Connection) -> None:
    rows = _archive(connection, 40)
    index = _current(connection)
    embeddings.retire_study(connection, space_id=SPACE.id, study_id=rows[0])
    found = check(connection, index, sample=30)
    gone = f"embedding {index.ids()[0]} is in the index but not in the database"
    assert (found.faults, found.compared) == ([gone], 30)
    # the rule of three: with 30 of them, some 3 / 30
    assert found.most_that_differ == pytest.approx(0.0950, abs=1e-4)
    assert check(connection, index, sample=1000).compared == 39


def test_what_an_engine_finds_is_measured(connection: Connection, tmp_path: Path) -> None:
    _archive(connection, 40)
    index = _current(connection)
    assert check(connection, index).recall is None  # it looks at all of them
    index.save(snapshot_path(tmp_path, SPACE.id), Choice(Kind.HNSW))
    assert check(connection, index).recall == 1.0


def test_an_index_of_nothing_agrees_with_nothing(connection: Connection) -> None:
    found = check(connection, _current(connection))
    assert (found.faults, found.compared, found.recall) == ([], 0, None)
    assert found.most_that_differ == 1.0


@pytest.mark.parametrize(
    ("vector", "expected"),
    [
        (unit(1, 0), "of shape (1, 2)"),
        (np.zeros((1, 3), np.float32), "of shape (1, 1, 3)"),
        (np.array([1.0, 0.0, 0.0]), "these are float64"),
        (np.array([np.nan, 0, 1], np.float32), "NaN or infinity"),
        (np.zeros(3, np.float32), "length 0.0000 is not of unit length"),
        (np.full(3, 2, np.float32), "length 3.4641 is not of unit length"),
    ],
)
def test_a_query_that_is_no_vector_of_the_space_is_refused(
    vector: NDArray[np.float32], expected: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)):
        VectorIndex(SPACE.id, 3).search(vector, 1)


def test_asking_for_no_neighbour_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        VectorIndex(SPACE.id, 3).search(unit(1, 0, 0), 0)


def test_an_empty_index_has_no_neighbours() -> None:
    assert VectorIndex(SPACE.id, 3).search(unit(1, 0, 0), 5) == []


def test_neighbours_come_nearest_first_with_their_cosine_distance(connection: Connection) -> None:
    for number, vector in enumerate([unit(0, 1, 0), unit(1, 0, 0), unit(3, 4, 0), unit(-1, 0, 0)]):
        add_study(connection, SPACE, f"1.{number}", [vector])
    index = _current(connection)
    first = int(index.ids()[0])
    found = index.search(unit(1, 0, 0), 10)
    assert [neighbour.key - first for neighbour in found] == [1, 2, 0, 3]
    distances = [neighbour.distance for neighbour in found]
    assert distances == pytest.approx([0.0, 0.4, 1.0, 2.0], abs=1e-6)


def test_an_id_that_is_not_held_is_a_key_error(connection: Connection) -> None:
    _archive(connection, 1)
    with pytest.raises(KeyError, match="not in the index"):
        _current(connection).vectors([987_654])
