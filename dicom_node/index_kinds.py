"""Which kind of index keeps a space's vectors: decided here, once for its owner, once for readers.

The owner is a node's worker process; readers are the other processes of the same host.
"""

from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from dicom_node.community_keeper import community_keeper
from dicom_node.gpu_index import OwnIndexOnGpu, SnapshotReaderOnGpu
from dicom_node.own_index import OwnIndex
from dicom_node.settings import Settings
from dicom_node.store_index import StoreOwner, StoreReader
from storage.answer import SpaceSummary
from storage.index import snapshot_path
from storage.index_reader import SnapshotReader
from storage.searchable import Searchable


class IndexOwner(Protocol):
    """The index as the worker has it: it follows what is written, and looks after what is kept."""

    @property
    def held(self) -> int:
        """How many vectors it has at hand, without asking the database."""

    def begin(self) -> None:
        """Starts what goes on beside the work."""

    def catch_up(self, connection: Connection) -> None:
        """Takes in what was written to the database."""

    def now(self, connection: Connection) -> Searchable:
        """The vectors as the database now has them, for one question on this connection."""

    def look(self) -> None:
        """Does, or begins, what can wait until nothing else is to be done."""

    def end(self) -> None:
        """Ends what goes on beside the work, and gives up what would take long."""

    def close(self) -> None:
        """The same, and keeps what the next start is quicker with."""


class IndexReader(Protocol):
    """The index as who only asks has it; one thread at a time uses it."""

    @property
    def space_id(self) -> str:
        """The space whose index it is."""

    @property
    def held(self) -> int:
        """How many vectors it has at hand, without asking the database."""

    def now(self, connection: Connection) -> Searchable:
        """The vectors as the database now has them, for one question on this connection."""

    def look(self, connection: Connection) -> None:
        """Takes in what came, so that the next question need not."""

    def close(self) -> None:
        """Gives up what it holds open; who still searches what it gave may get an outage."""


def owner(engine: Engine, settings: Settings, space: SpaceSummary, *, node: str) -> IndexOwner:
    """The index of a space for the worker of a node, not begun yet.

    Raises:
        DBAPIError, DatabaseError: the database does not answer, or the store of vectors.
        NoGpuError: the settings want a GPU, and FAISS has none.
    """
    if settings.index.is_store:
        return StoreOwner(engine, settings.index, space, node=node)
    kind = OwnIndexOnGpu if settings.index.device == "cuda" else OwnIndex
    path = _path(settings, space)
    communities = community_keeper(path, settings.index, space)
    return kind(engine, path, space, settings.index.choice, node=node, communities=communities)


def reader(settings: Settings, space: SpaceSummary) -> IndexReader:
    """The index of a space for who only asks."""
    if settings.index.is_store:
        return StoreReader(settings.index, space)
    kind = SnapshotReaderOnGpu if settings.index.device == "cuda" else SnapshotReader
    return kind(_path(settings, space), space)


def _path(settings: Settings, space: SpaceSummary) -> Path:
    return snapshot_path(settings.index_folder, space.id)
