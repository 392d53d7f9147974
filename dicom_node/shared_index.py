"""One index in memory for all who ask in this process, beside its owner's."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from dicom_node import asking, index_kinds
from dicom_node.index_kinds import IndexReader
from dicom_node.settings import Settings
from storage.answer import SpaceSummary
from storage.listening import Listening
from storage.search import SearchError
from storage.searchable import Searchable

log = logging.getLogger(__name__)


class SharedIndex:
    """The index, caught up for each question, and meanwhile whenever vectors change.

    One question at a time catches it up; any number search what they got, side by side.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reader: IndexReader | None = None
        self._catching_up = threading.Lock()

    def wait(self) -> None:
        """Waits while somebody loads it: for who would wait with a connection kept from others."""
        with self._catching_up:
            return

    @contextmanager
    def following(self, engine: Engine) -> Iterator[None]:
        """Loads it, and takes in what is written, while the block lasts.

        Without that the first who asks would wait for it, and who asks after a burst.
        """
        with Listening(engine, self.look, "index-follow"):
            yield

    def look(self, connection: Connection) -> None:
        """Takes in what came to the space in use."""
        try:
            space = asking.space_in_use(connection)
            with self._catching_up:
                self._reader_of(space).look(connection)
        except SearchError:
            log.debug("nothing is indexed yet")

    def of(self, connection: Connection, space: SpaceSummary) -> Searchable:
        """The index of a space as the database now is, for one question on this connection."""
        with self._catching_up:
            return self._reader_of(space).now(connection)

    def held(self) -> int:
        """How many vectors are in memory now, or on the disk below it."""
        with self._catching_up:
            return 0 if self._reader is None else self._reader.held

    def _reader_of(self, space: SpaceSummary) -> IndexReader:
        if self._reader is not None and self._reader.space_id != space.id:
            self._reader.close()
            self._reader = None  # never two of them in memory
        if self._reader is None:
            self._reader = index_kinds.reader(self._settings, space)
        return self._reader
