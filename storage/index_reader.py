"""The index of a process that reads beside the index's owner, from the owner's snapshot."""

import logging
from pathlib import Path

from sqlalchemy.engine import Connection

from storage import embeddings
from storage.answer import SpaceSummary
from storage.database_index import DatabaseIndex
from storage.index import (
    INLINE_MOST,
    SnapshotError,
    VectorIndex,
    load_caught_up,
    read_whole,
)
from storage.searchable import Searchable

log = logging.getLogger(__name__)


class SnapshotReader:
    """The snapshot if it is good, and what came since; one thread at a time uses it.

    The reader leaves the snapshot as it is; only the owner sets a bad one aside. Where none is
    good, few vectors are read into memory, and many are searched in the database until the owner
    has written a new one.

    Args:
        path: of the snapshot.
        space: whose index it is.
        most: how many vectors are few.
    """

    def __init__(self, path: Path, space: SpaceSummary, *, most: int = INLINE_MOST) -> None:
        self.space_id = space.id
        self._path = path
        self._space = space
        self._most = most
        self._index: VectorIndex | None = None
        self._refused: tuple[int, int] | None = None

    @property
    def held(self) -> int:
        """How many vectors are in memory, or on the disk below it."""
        return 0 if self._index is None else self._index.count

    def now(self, connection: Connection) -> Searchable:
        """The vectors as the database now has them, for one question; of ``connection`` perhaps."""
        self.look(connection)
        if self._index is None:
            return DatabaseIndex(connection, self._space)
        return self._index.frozen()

    def look(self, connection: Connection) -> None:
        """Takes in what came, so that the next question need not."""
        index = self._index
        if index is not None:
            # before the database is asked: a transaction that keeps to one state (REPEATABLE READ)
            # would not see what a file holds that was written since it began
            index.follow(self._path)
        if index is not None and index.watermark > embeddings.last_change(connection):
            self._index = index = None  # the database was restored; never two of them in memory
        if index is None:
            self._index = self._opened(connection)
            return
        index.catch_up(connection)

    def close(self) -> None:
        """Nothing is held open; the memory goes with the reader."""

    def _opened(self, connection: Connection) -> VectorIndex | None:
        try:
            stat = self._path.stat()
            version = stat.st_mtime_ns, stat.st_ino
            if version != self._refused:  # it may take seconds to see once more what is wrong
                return load_caught_up(connection, self._path, self._space, most=self._most)
        except FileNotFoundError:
            pass
        except SnapshotError as fault:
            self._refused = version
            log.info("the index snapshot is not used: %s", fault)
        return read_whole(connection, self._space, most=self._most)
