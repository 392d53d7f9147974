"""Our engines that keep vectors in a store, for ``benchmarks.index_engines``."""

import socket
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.index_vectors import BLOCK, Ids, Vectors
from storage.answer import SpaceSummary
from storage.database import connect
from storage.embedded import EmbeddedServer
from storage.stores.milvus import MilvusStore
from storage.stores.milvus_server import MilvusServer
from storage.stores.pgvector import PgVectorStore
from storage.stores.store import NO_IDS, Store
from storage.stores.stored_index import StoredIndex
from storage.vectors.choice import Choice
from tests.storage.milvus_lite import milvus_lite

BUILD_MEMORY = "6GB"
"""PostgreSQL's maintenance_work_mem, while graphs are built."""


def space(dimension: int) -> SpaceSummary:
    """A space that no encoder made."""
    return SpaceSummary(
        "benchmark", "made", "1", "", "none", "none", "none", "none", dimension, "cosine"
    )


class StoredVectors:
    """A store in a folder, with the server that it needs, until it is closed."""

    def __init__(self, folder: Path, dimension: int, choice: Choice) -> None:
        self._stack = ExitStack()
        self.store = self._open(folder, dimension, choice)
        self._stack.callback(self.store.close)

    def _open(self, folder: Path, dimension: int, choice: Choice) -> Store:
        server = EmbeddedServer(folder / "postgres")
        self._stack.callback(server.close)
        self._engine = connect(server.url)
        self._stack.callback(self._engine.dispose)
        with self._engine.begin() as connection:
            name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
            connection.exec_driver_sql(
                f"ALTER DATABASE \"{name}\" SET maintenance_work_mem = '{BUILD_MEMORY}'"
            )
        self._engine.dispose()  # for connections that come from now on
        return PgVectorStore(self._engine, space(dimension), choice)

    def size(self) -> int:
        """Bytes of the tables and their indexes, without the log and the rest of the server."""
        told = (
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = 'likeness_vectors'::regnamespace"
        )
        with self._engine.begin() as connection:
            return int(connection.exec_driver_sql(told).scalar_one())

    def fill(self, vectors: Vectors) -> None:
        """Puts vectors in whose ids are their numbers, and builds what searches them."""
        self.store.empty()
        for at in range(0, len(vectors), BLOCK):
            some = np.ascontiguousarray(vectors[at : at + BLOCK])
            ids: Ids = np.arange(at, at + len(some))
            self.store.change(left=NO_IDS, ids=ids, vectors=some, watermark=1)
        self.store.build()

    def index(self, dimension: int) -> StoredIndex:
        """The index over it."""
        return StoredIndex(self.store, space(dimension))

    def close(self) -> None:
        """Stops what was started."""
        self._stack.close()


class VectorsInMilvus(StoredVectors):
    """The same in Milvus Lite's server."""

    def _open(self, folder: Path, dimension: int, choice: Choice) -> Store:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._folder = folder
        address = self._stack.enter_context(milvus_lite(folder, port))
        return MilvusStore(MilvusServer(address), space(dimension), choice, archive="benchmark")

    def size(self) -> int:
        """Bytes of its files."""
        return sum(path.stat().st_size for path in self._folder.rglob("*") if path.is_file())
