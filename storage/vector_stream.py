"""Many vectors from the database: in blocks, as the server keeps them, and never all at once.

A cursor of PostgreSQL gives rows in binary where it is declared so (DECLARE, "BINARY"); a vector
then comes as its bytes, not as twice as many hexadecimal digits. COPY in binary is as quick, but
psycopg2 cannot wait for it in the bounded way of ``storage.bounded_connection``.
"""

import secrets
from collections.abc import Iterator
from contextlib import closing
from typing import Any, cast

import numpy as np
import psycopg2
from numpy.typing import NDArray
from psycopg2 import extensions
from sqlalchemy import text
from sqlalchemy.engine import Connection

from storage.outages import UnreachableError
from storage.vectors.metric import Metric, VectorError, Vectors

Ids = NDArray[np.int64]

BLOCK_ROWS = 2000
"""More at a time are no quicker: 6 MB of 768 dimensions fit a processor's cache."""
ASKED_AT_ONCE = 10_000
"""Ids that are looked up with one statement."""
NEWEST = 2**63 - 1
_ROWS = """
    SELECT id, vector FROM embeddings
    WHERE space_id = :space AND retired_at IS NULL AND vector IS NOT NULL AND change <= :upto AND
"""
_AS_SENT = dict.fromkeys((17, 20), extensions.BYTES)  # pg_type: bytea, int8


def live_blocks(
    connection: Connection,
    space_id: str,
    dimension: int,
    metric: Metric,
    *,
    upto: int = NEWEST,
    among: Ids | None = None,
) -> Iterator[tuple[Ids, Vectors]]:
    """A space's live vectors in the order of their ids: ids of shape (n,), vectors (n, width).

    What is seen is the database as it is when the first block is asked for; with ``among``, as it
    is for each ten thousand of them, unless the transaction is REPEATABLE READ. Who stops early
    leaves a cursor open to the end of the transaction.

    Args:
        connection: its transaction is used, and must last as long as blocks are asked for.
        space_id, dimension, metric: of the space whose vectors are wanted.
        upto: the last change that is wanted.
        among: the ids that are wanted, ascending, each once; None for all.

    Raises:
        VectorError: a vector has not the dimension of the space.
        UnreachableError: the connection is lost meanwhile.
    """
    given = {"space": space_id, "upto": upto}
    parts = [("true", given)]
    if among is not None:
        parts = [
            ("id = ANY(:some)", {**given, "some": among[at : at + ASKED_AT_ONCE].tolist()})
            for at in range(0, len(among), ASKED_AT_ONCE)
        ]
    for which, values in parts:
        for rows in _batches(connection, which, values):
            yield _block(rows, dimension, metric)


def _batches(
    connection: Connection, which: str, given: dict[str, Any]
) -> Iterator[list[tuple[bytes, bytes]]]:
    name = f"vectors_{secrets.token_hex(8)}"
    rows_of = " ".join([_ROWS, which, "ORDER BY id"])
    connection.execute(text(f"DECLARE {name} NO SCROLL BINARY CURSOR FOR {rows_of}"), given)
    while rows := _fetched(connection, name):
        yield rows
    connection.execute(text(f"CLOSE {name}"))


def _fetched(connection: Connection, name: str) -> list[tuple[bytes, bytes]]:
    # SQLAlchemy would have each value read as text
    try:
        with closing(connection.connection.cursor()) as cursor:
            cursor.string_types = _AS_SENT  # type: ignore[attr-defined]  # psycopg2's own
            cursor.execute(f"FETCH {BLOCK_ROWS} FROM {name}")
            return cast("list[tuple[bytes, bytes]]", cursor.fetchall())
    except psycopg2.Error as fault:
        if getattr(connection.connection.dbapi_connection, "closed", True):
            connection.invalidate(fault)  # as SQLAlchemy does where it asks itself
        said = str(fault).strip().partition("\n")[0]
        raise UnreachableError(f"the database did not give vectors: {said}") from fault


def _block(rows: list[tuple[bytes, bytes]], dimension: int, metric: Metric) -> tuple[Ids, Vectors]:
    width, dtype = metric.width(dimension), metric.dtype
    expected = width * dtype.itemsize
    ids = np.frombuffer(b"".join(key for key, _ in rows), ">i8").astype(np.int64)
    for number, (_, vector) in enumerate(rows):
        if len(vector) != expected:
            raise VectorError(
                f"embedding {ids[number]} has {len(vector)} bytes, which are no vector of "
                f"{dimension} dimensions"
            )
    joined = np.frombuffer(b"".join(vector for _, vector in rows), dtype.newbyteorder("<"))
    return ids, joined.astype(dtype, copy=False).reshape(len(rows), width)
