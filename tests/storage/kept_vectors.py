"""The ways in which a space's vectors are kept, all driven alike by the contract's tests."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from storage.answer import SpaceSummary
from storage.index import VectorIndex
from storage.searchable import Searchable
from storage.stores.milvus import MilvusStore
from storage.stores.milvus_server import Address, MilvusServer
from storage.stores.pgvector import PgVectorStore
from storage.stores.store import Mark, Measured, Shortlisted, Store
from storage.stores.stored_index import StoredIndex
from storage.vectors.choice import EXACT, Choice, Kind, Precision
from storage.vectors.metric import Vectors
from storage.vectors.segment import Ids


class Kept(Protocol):
    """An index of a space, by its owner; ``reopened`` is what the next start makes of it."""

    def catch_up(self, connection: Connection) -> object: ...

    def save(self) -> None: ...

    def die_while_saving(self) -> None: ...

    def reopened(self) -> "Kept": ...

    def now(self) -> Searchable: ...


class KeptInFile:
    """``VectorIndex`` and its snapshot."""

    def __init__(self, path: Path, space: SpaceSummary, choice: Choice) -> None:
        self._path, self._space, self._choice = path, space, choice
        self._index = VectorIndex.load(path, space) if path.exists() else VectorIndex.empty(space)

    def catch_up(self, connection: Connection) -> object:
        return self._index.catch_up(connection)

    def save(self) -> None:
        self._index.save(self._path, self._choice)

    def die_while_saving(self) -> None:
        """What was written aside then is never looked at."""
        self._path.with_name(f"{self._path.name}.new").write_bytes(b"half of it")

    def reopened(self) -> "KeptInFile":
        return KeptInFile(self._path, self._space, self._choice)

    def now(self) -> Searchable:
        return self._index.frozen()


class Dying:
    """A store whose writer dies after the vectors and before the mark."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.choice, self.most = store.choice, store.most
        self.breadths, self.filters = store.breadths, store.filters

    def change(self, *, left: Ids, ids: Ids, vectors: Vectors, watermark: int) -> None:
        stands = self._store.mark().watermark
        self._store.change(left=left, ids=ids, vectors=vectors, watermark=stands)

    def mark(self) -> Mark:
        return self._store.mark()

    def is_whole(self) -> bool:
        return self._store.is_whole()

    def count(self) -> int:
        return self._store.count()

    def ids(self) -> Ids:
        return self._store.ids()

    def standing(self, ids: Ids) -> Ids:
        return self._store.standing(ids)

    def vectors(self, ids: Ids) -> tuple[Ids, Vectors]:
        return self._store.vectors(ids)

    def nearest(self, queries: Vectors, k: int, among: Ids | None) -> list[Shortlisted]:
        return self._store.nearest(queries, k, among)

    def keep_measured(self, measured: Measured) -> None:
        self._store.keep_measured(measured)

    def empty(self) -> None:
        self._store.empty()

    def build(self) -> None:
        self._store.build()

    def drop(self) -> None:
        self._store.drop()

    def close(self) -> None:
        self._store.close()


class KeptInStore:
    """``StoredIndex`` and its store."""

    def __init__(self, engine: Engine, store: Store, space: SpaceSummary) -> None:
        self._engine, self._store, self._space = engine, store, space
        self._index = StoredIndex(store, space)

    def catch_up(self, connection: Connection) -> object:
        assert self._index.follow()
        return self._index.catch_up(connection)

    def save(self) -> None:
        assert self._index.save(self._engine)
        self._store.build()

    def die_while_saving(self) -> None:
        dying = StoredIndex(Dying(self._store), self._space)
        with self._engine.connect() as connection:
            dying.catch_up(connection)
        dying.save(self._engine)

    def reopened(self) -> "KeptInStore":
        return KeptInStore(self._engine, self._store, self._space)

    def now(self) -> Searchable:
        return self._index.frozen()


Opener = Callable[[SpaceSummary], Kept]

IN_FILES = {f"file {choice}": choice for choice in (Choice(k, p) for k in Kind for p in Precision)}
IN_PGVECTOR = {
    "pgvector exact": EXACT,
    "pgvector hnsw": Choice(Kind.HNSW),
    "pgvector hnsw-fp16": Choice(Kind.HNSW, Precision.FP16),
}
IN_MILVUS = {"milvus exact": EXACT, "milvus hnsw": Choice(Kind.HNSW)}
EVERY = [*IN_FILES, *IN_PGVECTOR, *IN_MILVUS]
IS_EXACT = {f"file {EXACT}", "pgvector exact", "milvus exact"}


def prefer_graphs(engine: Engine) -> None:
    """Has PostgreSQL use a graph in what connects from now on; few rows it would go through."""
    with engine.begin() as connection:
        connection.execute(text(f"ALTER DATABASE {engine.url.database} SET enable_seqscan = off"))


def store_of(
    kind: str, engine: Engine, space: SpaceSummary, milvus: Address, stack: ExitStack
) -> Store:
    """A store of that kind, closed with the stack."""
    store: Store
    if kind in IN_PGVECTOR:
        if kind not in IS_EXACT:
            prefer_graphs(engine)
        store = PgVectorStore(engine, space, IN_PGVECTOR[kind])
    else:
        store = MilvusStore(MilvusServer(milvus), space, IN_MILVUS[kind], archive="tests")
    stack.callback(store.close)
    return store
