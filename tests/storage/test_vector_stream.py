"""Many vectors read in blocks: all of them, some, up to a change, and what is told of a fault."""

from collections.abc import Iterator

import numpy as np
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from storage import embeddings
from storage.database import connect
from storage.outages import UnreachableError
from storage.vector_stream import ASKED_AT_ONCE, BLOCK_ROWS, Ids, live_blocks
from storage.vectors.metric import Metric, VectorError, Vectors
from tests.storage.made import add_study, space, unit
from tests.storage.servers import line_to

SPACE = space(3)
MANY = 2 * BLOCK_ROWS + 1


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A transaction that is never committed."""
    with engine.connect() as opened:
        yield opened


def read(connection: Connection, **wanted: int | Ids) -> tuple[Ids, Vectors]:
    """All blocks, one after the other."""
    blocks = list(live_blocks(connection, SPACE.id, 3, Metric.COSINE, **wanted))  # type: ignore[arg-type]
    ids = [ids for ids, _ in blocks] or [np.empty(0, np.int64)]
    rows = [rows for _, rows in blocks] or [np.empty((0, 3), np.float32)]
    assert all(len(some) <= BLOCK_ROWS for some in ids)
    return np.concatenate(ids), np.concatenate(rows)


def _in_database(connection: Connection) -> dict[int, bytes]:
    rows = connection.execute(
        text("SELECT id, vector FROM embeddings WHERE vector IS NOT NULL AND space_id = 'space-a'")
    )
    return {row.id: bytes(row.vector) for row in rows}


def test_all_live_vectors_come_in_the_order_of_their_ids(connection: Connection) -> None:
    add_study(connection, SPACE, "1.1", [unit(1, n, n * n) for n in range(MANY)])
    gone = add_study(connection, SPACE, "1.2", [unit(1, 0, 0)])
    add_study(connection, space(3, "b"), "1.3", [unit(1, 0, 0)])
    embeddings.retire_study(connection, space_id=SPACE.id, study_id=gone)
    ids, rows = read(connection)
    assert (str(ids.dtype), str(rows.dtype), rows.shape) == ("int64", "float32", (MANY, 3))
    expected = _in_database(connection)
    assert ids.tolist() == sorted(expected)
    assert [row.tobytes() for row in rows] == [expected[key] for key in ids.tolist()]


def test_those_that_are_asked_for_come(connection: Connection) -> None:
    add_study(connection, SPACE, "1.1", [unit(1, n, 0) for n in range(9)])
    ids, _ = read(connection)
    wanted = np.concatenate([ids[::2], ids[-1] + 1 + np.arange(ASKED_AT_ONCE)])
    assert read(connection, among=wanted)[0].tolist() == ids[::2].tolist()
    assert read(connection, among=np.empty(0, np.int64))[0].tolist() == []


def test_what_came_later_is_left_out_on_demand(connection: Connection) -> None:
    add_study(connection, SPACE, "1.1", [unit(1, 0, 0)])
    newest = embeddings.newest_change(connection, space_id=SPACE.id)
    add_study(connection, SPACE, "1.2", [unit(0, 1, 0)])
    assert (len(read(connection)[0]), len(read(connection, upto=newest)[0])) == (2, 1)


def test_who_stops_early_may_go_on_with_the_connection(connection: Connection) -> None:
    add_study(connection, SPACE, "1.1", [unit(1, n, 0) for n in range(MANY)])
    for _ in range(2):
        next(live_blocks(connection, SPACE.id, 3, Metric.COSINE))
    assert len(read(connection)[0]) == MANY


def test_a_vector_of_another_dimension_is_told(connection: Connection) -> None:
    add_study(connection, SPACE, "1.1", [unit(1, 0, 0), unit(0, 1, 0)])
    last = max(_in_database(connection))
    connection.execute(text("UPDATE embeddings SET vector = 'abcd' WHERE id = :id"), {"id": last})
    with pytest.raises(VectorError, match=f"embedding {last} has 4 bytes, .* 3 dimensions"):
        read(connection)


def test_a_connection_that_is_lost_meanwhile_is_an_outage(
    engine: Engine, database_url: str
) -> None:
    with engine.begin() as connection:
        add_study(connection, SPACE, "1.1", [unit(1, n, 0) for n in range(MANY)])
    with line_to(database_url) as line:
        by_line = connect(line.url)
        with by_line.connect() as connection:
            blocks = live_blocks(connection, SPACE.id, 3, Metric.COSINE)
            next(blocks)
            with engine.begin() as other:
                other.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid != pg_backend_pid()"
                    )
                )
            with pytest.raises(UnreachableError, match="did not give vectors"):
                list(blocks)
        by_line.dispose()
