"""A snapshot made anew from the database, row by row into the file and never all in memory."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from storage import embeddings
from storage.answer import SpaceSummary
from storage.vector_stream import Ids, live_blocks
from storage.vectors import base as bases
from storage.vectors.approximate import Progress, quietly
from storage.vectors.base import About, SnapshotError
from storage.vectors.choice import EXACT, Choice
from storage.vectors.metric import Metric, Vectors


def rebuild(
    engine: Engine,
    path: Path,
    space: SpaceSummary,
    choice: Choice = EXACT,
    *,
    reading: Progress = quietly,
    building: Progress = quietly,
) -> int:
    """Writes a snapshot of all of a space's vectors; returns how many.

    Args:
        engine: one connection of it is used, and given back before an engine is built.
        path: of the snapshot; it stays as it was until the new one is complete.
        space: whose vectors are wanted.
        choice: the engine that is built for it.
        reading: told how many vectors are written; what it raises ends it.
        building: told how far the engine is built; the same.

    Raises:
        OSError: as ``storage.vectors.sections.write``.
        SnapshotError, VectorError: the database holds what is no vector of the space.
        DBAPIError, DatabaseError: it does not answer.
    """
    frozen = engine.execution_options(isolation_level="REPEATABLE READ")
    with closing(frozen.connect()) as connection:
        ids = embeddings.live_ids(connection, space_id=space.id)
        watermark = embeddings.newest_change(connection, space_id=space.id)
        metric = Metric(space.metric)
        about = About(space.id, space.dimension, metric, len(ids), watermark, choice)
        bases.write(path, about, ids, _rows(connection, space, ids, reading), building)
    return len(ids)


def _rows(
    connection: Connection, space: SpaceSummary, ids: Ids, reading: Progress
) -> Iterator[Vectors]:
    metric, done = Metric(space.metric), 0
    for keys, rows in live_blocks(connection, space.id, space.dimension, metric):
        if not np.array_equal(keys, ids[done : done + len(keys)]):
            raise SnapshotError("the database counts other vectors than it gives")
        done += len(keys)
        reading(done, len(ids))
        yield metric.checked(rows, space.dimension)
    connection.close()  # to build an engine may take hours, and nothing is to wait on us
