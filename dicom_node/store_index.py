"""The index of a site that keeps its vectors in a store: pgvector, or Milvus.

The worker fills the store and puts into it what came; all others follow. While a store is being
filled, answers come from the database.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from dicom_node.index_progress import FAULTS, RebuildProgress, until_rebuilt
from dicom_node.settings import IndexSettings
from storage import embeddings
from storage.answer import SpaceSummary
from storage.database_index import DatabaseIndex
from storage.index import INLINE_MOST, save_after
from storage.listening import Listening
from storage.searchable import Searchable
from storage.stores.filling import fill, is_behind, must_be_filled
from storage.stores.opening import StoreWanted, open_store
from storage.stores.store import Measured, Store
from storage.stores.stored_index import StoredIndex
from storage.stores.tuning import must_be_measured, tell, tune
from storage.stores.writer_lock import writing_alone
from storage.vectors.approximate import Progress

log = logging.getLogger(__name__)

END_S = 10.0
RETRY_S = 30.0
"""Before what could not be put into the store is tried again; nothing is lost meanwhile."""


def wanted(settings: IndexSettings) -> StoreWanted:
    """The store that the settings ask for, which must ask for one."""
    return StoreWanted(
        settings.choice,
        milvus_uri=settings.milvus_uri if settings.engine == "milvus" else None,
        milvus_token=settings.milvus_token or "",
        timeout_s=settings.milvus_timeout_s,
    )


class StoreReader:
    """See ``dicom_node.index_kinds.IndexReader``; where the store cannot be used, StoreError."""

    def __init__(
        self, settings: IndexSettings, space: SpaceSummary, *, most: int = INLINE_MOST
    ) -> None:
        self.space_id = space.id
        self._wanted = wanted(settings)
        self._space = space
        self._most = most
        self._store: Store | None = None
        self.index: StoredIndex | None = None

    @property
    def held(self) -> int:
        """How many vectors it has in memory: those that are not in the store yet."""
        return 0 if self.index is None else self.index.changed

    def store(self, engine: Engine) -> Store:
        """The store, opened with the first that asks for it."""
        if self._store is None:
            self._store = open_store(engine, self._space, self._wanted)
        return self._store

    def now(self, connection: Connection) -> Searchable:
        """The vectors as the database now has them, for one question on this connection."""
        self.look(connection)
        if self.index is None:
            return DatabaseIndex(connection, self._space)
        return self.index.frozen()

    def look(self, connection: Connection) -> None:
        """Takes in what came, so that the next question need not."""
        store, index = self.store(connection.engine), self.index
        if index is not None:
            was_restored = index.watermark > embeddings.last_change(connection)
            if was_restored or not index.follow():
                index = None
        if index is None and not must_be_filled(connection, store, self._space, most=self._most):
            index = StoredIndex(store, self._space)
        if index is not None:
            index.catch_up(connection)
        self.index = index

    def take_in(self, connection: Connection) -> None:
        """Takes in what was written to the database; the store is not asked."""
        index = self.index
        if index is not None and index.watermark <= embeddings.last_change(connection):
            index.catch_up(connection)

    def close(self) -> None:
        """Gives the store's connections up."""
        if self._store is not None:
            self._store.close()
        self._store = self.index = None


class StoreOwner:
    """See ``dicom_node.index_kinds.IndexOwner``.

    Args:
        engine: of the database.
        settings: name the store.
        space: whose index it is.
        node: its device UID, under which progress is told.
        most: a store that lacks more changes is filled anew.

    Raises:
        StoreError: the store cannot be used.
    """

    def __init__(
        self,
        engine: Engine,
        settings: IndexSettings,
        space: SpaceSummary,
        *,
        node: str,
        most: int = INLINE_MOST,
    ) -> None:
        self._engine = engine
        self._space = space
        self._node = node
        self._most = most
        self._reader = StoreReader(settings, space, most=most)
        self._catching_up = threading.Lock()
        self._stop = threading.Event()
        self._working: threading.Thread | None = None
        self._worked_at = -RETRY_S
        self._stored = 0
        self._built = False
        self._measured = Measured()
        self._following = ExitStack()
        with ExitStack() as stack, engine.connect() as connection:
            stack.callback(self._reader.close)
            self._reader.look(connection)
            stack.pop_all()

    @property
    def held(self) -> int:
        """How many vectors it has in memory: those that are not in the store yet."""
        return self._reader.held

    def begin(self) -> None:
        """Starts to fill the store if it must be filled, and follows what others write."""
        self.look()
        self._following.enter_context(Listening(self._engine, self._hear, "index-follow"))

    def _hear(self, connection: Connection) -> None:
        with self._catching_up:
            self._reader.look(connection)

    def catch_up(self, connection: Connection) -> None:
        """Takes in what was written to the database.

        The store is not asked, nor waited for where somebody else asks it: whoever only writes
        studies works on while it is away. ``now`` takes in what is lacking.
        """
        if self._catching_up.acquire(blocking=False):
            try:
                self._reader.take_in(connection)
            finally:
                self._catching_up.release()

    def now(self, connection: Connection) -> Searchable:
        """The vectors as the database now has them, for one question on this connection."""
        with self._catching_up:
            return self._reader.now(connection)

    def look(self) -> None:
        """Begins whatever is due: to fill the store, to build its graph, to put into it what came.

        What fails, or what another node is at, is tried again after a while.
        """
        if self._working is not None and self._working.is_alive():
            return
        work = self._due()
        if work is not None and monotonic() - self._worked_at >= RETRY_S:
            self._working = threading.Thread(
                target=self._work, args=(work,), name="index-store", daemon=True
            )
            self._working.start()

    def _due(self) -> Callable[[], None] | None:
        index = self._reader.index
        if index is None:
            return self._fill
        if not self._built:
            return self._build
        if index.changed >= save_after(self._stored):
            return self._save
        store = self._reader.store(self._engine)
        is_due = must_be_measured(store, self._measured, self._stored)
        return self._measure if is_due else None

    def _work(self, work: Callable[[], None]) -> None:
        try:
            work()
        except FAULTS as fault:
            self._worked_at = monotonic()
            log.error("the store of vectors lacks what came; it is tried again: %s", fault)

    def _fill(self) -> None:
        until_rebuilt(self._fill_once, self._progress, self._stop)

    def _progress(self) -> RebuildProgress:
        return RebuildProgress(self._engine, self._space.id, self._node, self._stop)

    def _fill_once(self, progress: RebuildProgress) -> None:
        store = self._reader.store(self._engine)
        with self._engine.connect() as connection:
            is_due = must_be_filled(connection, store, self._space, most=self._most)
        if is_due:  # else somebody did meanwhile
            fill(self._engine, store, self._space, reading=progress.reading)
        self._built = False
        with self._engine.connect() as connection:
            self._hear(connection)

    def _build(self) -> None:
        store = self._reader.store(self._engine)
        store.build()
        self._see(store)
        self._built = True
        if self._measured.count:
            tell(self._space.id, self._measured)

    def _see(self, store: Store) -> None:
        self._stored, self._measured = store.count(), store.mark().measured

    def _measure(self) -> None:
        index = self._reader.index
        if index is not None:
            self._measured = tune(self._engine, self._reader.store(self._engine), index)

    def _save(self) -> None:
        index = self._reader.index
        if index is None:
            return
        if index.save(self._engine):
            self._see(self._reader.store(self._engine))
        else:
            self._worked_at = monotonic()  # another node writes, and may for long

    def end(self) -> None:
        """Ends the threads; what a store takes long to build is not waited for."""
        self._stop.set()
        self._following.close()
        if self._working is not None:
            self._working.join(END_S)

    def close(self) -> None:
        """The same, and puts into the store what came since.

        While a graph is still being built the store stays open: the connections end with the
        process.
        """
        self.end()
        if self._working is not None and self._working.is_alive():
            return
        index = self._reader.index
        if index is not None and index.changed:
            self._work(self._save)
        self._reader.close()


@contextmanager
def held_still(
    engine: Engine, settings: IndexSettings, space: SpaceSummary
) -> Iterator[tuple[StoredIndex | None, Connection]]:
    """A space's index on one state of the database; None where the store is too far behind.

    Vectors that the store has lost are lacking, so that it can be told which. Nobody writes to it
    for the block.

    Raises:
        StoreError: the store cannot be used.
    """
    frozen = engine.execution_options(isolation_level="REPEATABLE READ")
    with writing_alone(engine, space.id, wait=True), frozen.connect() as connection:
        store = open_store(engine, space, wanted(settings))
        try:
            if is_behind(connection, store, space, most=INLINE_MOST):
                yield None, connection
                return
            index = StoredIndex(store, space)
            index.catch_up(connection)
            yield index, connection
        finally:
            store.close()


def fill_store(
    engine: Engine, settings: IndexSettings, space: SpaceSummary, reading: Progress
) -> int:
    """Fills a space's store anew, and measures its graph; returns how many vectors are in it.

    Raises:
        StoreError: it cannot be used, or somebody else is writing to it.
    """
    store = open_store(engine, space, wanted(settings))
    try:
        count = fill(engine, store, space, reading=reading)
        if must_be_measured(store, Measured(), count):
            tune(engine, store, StoredIndex(store, space))
        return count
    finally:
        store.close()


def forget_store(engine: Engine, settings: IndexSettings, space: SpaceSummary) -> None:
    """Removes a space's vectors from the store.

    Raises:
        StoreError: the store cannot be used, so that they are still there.
    """
    store = open_store(engine, space, wanted(settings))
    try:
        store.drop()
    finally:
        store.close()
