"""One index in memory for all who ask in this process, beside its owner's."""

import logging
import threading

from sqlalchemy import Engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from dicom_node import asking
from dicom_node.settings import Settings
from storage import embeddings
from storage.answer import SpaceSummary
from storage.index import VectorIndex, snapshot_path
from storage.outages import first_line
from storage.search import SearchError

log = logging.getLogger(__name__)


class SharedIndex:
    """The index, loaded with the first question and caught up for each.

    One question at a time catches it up; any number search what they got, side by side.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._index: VectorIndex | None = None
        self._catching_up = threading.Lock()

    def wait(self) -> None:
        """Waits while somebody loads it: for who would wait with a connection kept from others."""
        with self._catching_up:
            return

    def load(self, engine: Engine) -> None:
        """Loads the index for the first who asks; without it he would wait for that."""
        try:
            with engine.connect() as connection:
                self.of(connection, asking.space_in_use(connection))
        except SearchError:
            log.info("nothing is indexed yet: the index is loaded with the first question")
        except DBAPIError as fault:
            log.warning("the index is loaded with the first question: %s", first_line(fault))

    def of(self, connection: Connection, space: SpaceSummary) -> VectorIndex:
        """The index of a space as the database now is, for one question."""
        with self._catching_up:
            self._index = self._caught_up(connection, space)
            return self._index.frozen()

    def _caught_up(self, connection: Connection, space: SpaceSummary) -> VectorIndex:
        index = self._index
        if (
            index is None
            or index.space_id != space.id
            or index.watermark > embeddings.last_change(connection)  # the database was restored
        ):
            self._index = None  # never two of them in memory
            return asking.read_only_index(connection, self._settings, space)
        index.follow(snapshot_path(self._settings.index_folder, space.id))
        index.catch_up(connection)
        return index
