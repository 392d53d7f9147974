"""One index in memory for all who ask in this process, beside its owner's."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

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
    """The index, loaded with the first question and caught up for each."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._index: VectorIndex | None = None
        self._one_question = threading.Lock()

    @contextmanager
    def alone(self) -> Iterator[Self]:
        """Nobody else asks while the block runs: for who would wait without a connection."""
        with self._one_question:
            yield self

    def load(self, engine: Engine) -> None:
        """Loads the index for the first who asks; without it he would wait for that."""
        try:
            with self.alone(), engine.connect() as connection:
                self.caught_up(connection, asking.space_in_use(connection))
        except SearchError:
            log.info("nothing is indexed yet: the index is loaded with the first question")
        except DBAPIError as fault:
            log.warning("the index is loaded with the first question: %s", first_line(fault))

    @contextmanager
    def of(self, connection: Connection, space: SpaceSummary) -> Iterator[VectorIndex]:
        """The index of a space as the database now is; nobody else asks while the block runs."""
        with self._one_question:
            yield self.caught_up(connection, space)

    def caught_up(self, connection: Connection, space: SpaceSummary) -> VectorIndex:
        """The index of a space as the database now is; for who is ``alone``."""
        index = self._index
        if (
            index is None
            or index.space_id != space.id
            or index.watermark > embeddings.last_change(connection)  # the database was restored
        ):
            self._index = None  # never two of them in memory
            index = asking.read_only_index(connection, self._settings, space)
        else:
            index.follow(snapshot_path(self._settings.index_folder, space.id))
            index.catch_up(connection)
        self._index = index
        return index
