"""The worker's index: in a file of its own, rebuilt beside the work where there is no good one."""

import logging
import threading
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from dicom_node.community_keeper import CommunityKeeper
from dicom_node.index_keeper import IndexKeeper
from dicom_node.index_progress import RebuildProgress, until_rebuilt
from storage import embeddings
from storage.answer import SpaceSummary
from storage.database_index import DatabaseIndex
from storage.index import (
    INLINE_MOST,
    VectorIndex,
    load_caught_up,
    open_index,
)
from storage.index_rebuild import rebuild
from storage.listening import Listening
from storage.searchable import Searchable
from storage.vectors.choice import Choice

log = logging.getLogger(__name__)


class OwnIndex:
    """See ``dicom_node.index_kinds.IndexOwner``.

    Where there is no good snapshot of a large archive, answers come from the database until a
    thread has written one; nothing is searched that is not complete.

    Args:
        engine: of the database.
        path: of the snapshot.
        space: whose index it is.
        choice: the engine that is wanted.
        node: its device UID, under which progress is told.
        most: how many vectors are read into memory at the start.
        communities: kept beside it, where the settings ask for some.
    """

    def __init__(
        self,
        engine: Engine,
        path: Path,
        space: SpaceSummary,
        choice: Choice,
        *,
        node: str,
        most: int = INLINE_MOST,
        communities: CommunityKeeper | None = None,
    ) -> None:
        self._engine = engine
        self._path = path
        self._space = space
        self._choice = choice
        self._node = node
        self._most = most
        self._communities = communities
        self._catching_up = threading.Lock()
        self._kept: tuple[VectorIndex, IndexKeeper] | None = None
        self._stop = threading.Event()
        self._rebuilding = threading.Thread(target=self._rebuild, name="index-rebuild")
        self._following = ExitStack()
        with engine.connect() as connection:
            index = open_index(connection, path.parent, space, most=most)
        if index is not None:
            self._keep(index)

    @property
    def held(self) -> int:
        """How many vectors are in memory, or on the disk below it; 0 while the database answers."""
        return 0 if self._kept is None else self._kept[0].count

    @property
    def is_rebuilding(self) -> bool:
        """Whether a snapshot is being written for want of a good one."""
        return self._rebuilding.is_alive()

    def _keep(self, index: VectorIndex) -> None:
        log.info("the index of space %s holds %d vectors", self._space.id, index.count)
        self._kept = index, IndexKeeper(index, self._path, self._choice)

    def begin(self) -> None:
        """Starts the rebuild if there is to be one, and follows what others write."""
        if self._kept is None and not self._rebuilding.is_alive():
            self._rebuilding.start()
        self._following.enter_context(Listening(self._engine, self.catch_up, "index-follow"))

    def catch_up(self, connection: Connection) -> None:
        """Takes in what was written to the database."""
        with self._catching_up:
            self._caught_up(connection)

    def now(self, connection: Connection) -> Searchable:
        """The vectors as the database now has them, for one question on this connection."""
        with self._catching_up:
            index = self._caught_up(connection)
            return DatabaseIndex(connection, self._space) if index is None else index.frozen()

    def _caught_up(self, connection: Connection) -> VectorIndex | None:
        if self._kept is None:
            return None
        index, keeper = self._kept
        if index.watermark > embeddings.last_change(connection):
            log.error(
                "the index of space %s has seen changes that the database has lost: it was "
                "restored, or another server took over; the index is made anew",
                self._space.id,
            )
            keeper.end()
            self._kept = None
            self._begin_anew(connection)
        else:
            index.catch_up(connection)
        return None if self._kept is None else self._kept[0]

    def _begin_anew(self, connection: Connection) -> None:
        index = open_index(connection, self._path.parent, self._space, most=self._most)
        if index is not None:
            self._keep(index)
        elif not self._stop.is_set():
            self._rebuilding = threading.Thread(target=self._rebuild, name="index-rebuild")
            self._rebuilding.start()

    def look(self) -> None:
        """Begins to write a snapshot, and to divide into communities, if it is time."""
        if self._kept is not None:
            index, keeper = self._kept
            keeper.look()
            if self._communities is not None:
                self._communities.look(index)

    def end(self) -> None:
        """Ends the threads, and gives up what is being built."""
        self._stop.set()
        self._following.close()
        if self._rebuilding.is_alive():
            self._rebuilding.join()
        if self._kept is not None:
            self._kept[1].end()
        if self._communities is not None:
            self._communities.end()

    def close(self) -> None:
        """The same, and writes a last snapshot where that takes no building."""
        self.end()
        if self._kept is not None:
            self._kept[1].close()

    def _rebuild(self) -> None:
        until_rebuilt(self._rebuild_once, self._progress, self._stop)

    def _progress(self) -> RebuildProgress:
        return RebuildProgress(self._engine, self._space.id, self._node, self._stop)

    def _rebuild_once(self, progress: RebuildProgress) -> None:
        # searched row by row at first: the keeper builds the engine that is wanted from it
        rebuild(self._engine, self._path, self._space, reading=progress.reading)
        with self._engine.connect() as connection:  # however much came meanwhile
            index = load_caught_up(connection, self._path, self._space, most=None)
        self._keep(index)
