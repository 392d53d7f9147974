"""A store filled anew from the database, block after block and never all in memory."""

from contextlib import closing

import numpy as np
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from storage import embeddings
from storage.answer import SpaceSummary
from storage.outages import StoreError
from storage.stores.store import ANOTHERS, NO_IDS, Store
from storage.stores.writer_lock import alone_with
from storage.vector_stream import live_blocks
from storage.vectors.approximate import Progress, quietly
from storage.vectors.metric import Metric


def must_be_filled(connection: Connection, store: Store, space: SpaceSummary, *, most: int) -> bool:
    """Whether ``is_behind``, or a store has lost vectors that its mark counts; it counts them."""
    return is_behind(connection, store, space, most=most) or not store.is_whole()


def is_behind(connection: Connection, store: Store, space: SpaceSummary, *, most: int) -> bool:
    """Whether a store lacks more than ``most`` changes, or has some that the database lost.

    What is another database's lacks all.
    """
    mark = store.mark()
    return (
        mark == ANOTHERS
        or mark.watermark > embeddings.last_change(connection)
        or embeddings.has_more_changes(
            connection, space_id=space.id, after=mark.watermark, than=most
        )
    )


def fill(
    engine: Engine,
    store: Store,
    space: SpaceSummary,
    *,
    reading: Progress = quietly,
) -> int:
    """Empties a store, and puts all of a space's vectors in; returns how many.

    Its watermark is 0 until all are in, so that nobody takes a part of them for the whole.

    Args:
        engine: of the database; one connection of it is used.
        store: to be filled.
        space: whose vectors are wanted.
        reading: told how many are in; what it raises ends it.

    Raises:
        StoreError: the store cannot be used, or somebody else is filling it, or another
            database's vectors are in it.
        VectorError: the database holds what is no vector of the space.
        DBAPIError, DatabaseError: it does not answer.
    """
    done = 0
    none = np.empty((0, space.dimension), np.float32)
    frozen = engine.execution_options(isolation_level="REPEATABLE READ")
    with closing(frozen.connect()) as connection:
        if not alone_with(connection, space.id):
            raise StoreError("somebody else is writing to the store of vectors; try again later")
        watermark = embeddings.newest_change(connection, space_id=space.id)
        count = embeddings.live_count(connection, space_id=space.id)
        metric = Metric(space.metric)
        store.empty()
        for ids, vectors in live_blocks(connection, space.id, space.dimension, metric):
            checked = metric.checked(vectors, space.dimension)
            store.change(left=NO_IDS, ids=ids, vectors=checked, watermark=0)
            done += len(ids)
            reading(done, count)
        store.change(left=NO_IDS, ids=NO_IDS, vectors=none, watermark=watermark)
    store.build()  # may take hours; until then every vector is looked at
    return done
