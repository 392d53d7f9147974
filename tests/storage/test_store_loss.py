"""A store whose vectors are gone or are another database's, and who waits for whom in pgvector."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection, make_url

from storage.answer import SpaceSummary
from storage.bounded_connection import Limits
from storage.database import connect
from storage.outages import StoreError
from storage.stores import pgvector
from storage.stores.filling import fill, must_be_filled
from storage.stores.milvus import MilvusStore
from storage.stores.milvus_server import Address, MilvusServer
from storage.stores.opening import owner_of
from storage.stores.pgvector import PgVectorStore
from storage.stores.pgvector_tables import SCHEMA
from storage.stores.store import NO_IDS, Mark, Store, name_of
from storage.stores.stored_index import StoredIndex
from storage.vectors.choice import EXACT, Choice, Kind
from tests.conftest import as_administrator
from tests.storage.kept_vectors import IN_PGVECTOR, store_of
from tests.storage.made import add_study, unit

EXACT_STORES = ["pgvector exact", "milvus exact"]
COUNT = 3
QUERY = unit(1, 0.1, 0, 0)


def add(engine: Engine, of: SpaceSummary, first: int = 1, count: int = COUNT) -> None:
    with engine.begin() as connection:
        for number in range(first, first + count):
            add_study(connection, of, f"1.{number}", [unit(1, number, 0, 0)])


def is_due(engine: Engine, store: Store, of: SpaceSummary, most: int = 10) -> bool:
    with engine.connect() as connection:
        return must_be_filled(connection, store, of, most=most)


@contextmanager
def milvus_of(address: Address) -> Iterator[MilvusServer]:
    server = MilvusServer(address)
    yield server
    server.close()


def drop(kind: str, engine: Engine, of: SpaceSummary, milvus: Address) -> None:
    if kind.startswith("milvus"):
        with milvus_of(milvus) as server:
            server.remove(name_of(of.id, "tests"))
    else:
        run(engine, f"DROP TABLE {SCHEMA}.{name_of(of.id)}")


def truncate(kind: str, engine: Engine, of: SpaceSummary, milvus: Address) -> None:
    if kind.startswith("milvus"):
        with milvus_of(milvus) as server:
            name = name_of(of.id, "tests")
            server.take_out(name, list(server.ids(name)))
    else:
        run(engine, f"TRUNCATE {SCHEMA}.{name_of(of.id)}")


def run(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize("kind", EXACT_STORES)
def test_a_store_that_was_dropped_is_made_anew_with_an_empty_mark(
    kind: str, engine: Engine, of: SpaceSummary, milvus: Address, opened: ExitStack
) -> None:
    add(engine, of)
    before = store_of(kind, engine, of, milvus, opened)
    fill(engine, before, of)
    index = StoredIndex(before, of)
    assert not is_due(engine, before, of, most=0)
    drop(kind, engine, of, milvus)
    store = store_of(kind, engine, of, milvus, opened)
    assert store.mark() == Mark()
    assert is_due(engine, store, of, most=COUNT - 1)
    assert not index.follow()  # who has it open hears of it
    again = StoredIndex(store, of)
    with engine.connect() as connection:
        again.catch_up(connection)
    assert len(again.search(QUERY, 10)) == COUNT


@pytest.mark.parametrize("kind", EXACT_STORES)
def test_a_store_that_lost_vectors_is_to_be_filled_and_never_passes_for_whole(
    kind: str, engine: Engine, of: SpaceSummary, milvus: Address, opened: ExitStack
) -> None:
    add(engine, of)
    store = store_of(kind, engine, of, milvus, opened)
    fill(engine, store, of)
    index = StoredIndex(store, of)
    truncate(kind, engine, of, milvus)
    assert is_due(engine, store_of(kind, engine, of, milvus, opened), of)
    add(engine, of, first=COUNT + 1, count=1)
    with engine.connect() as connection:
        index.catch_up(connection)
    assert not index.save(engine)  # a new mark would hide it
    assert not index.follow()
    assert is_due(engine, store, of, most=COUNT)
    fill(engine, store, of)
    assert not is_due(engine, store, of, most=0)
    assert StoredIndex(store, of).count == COUNT + 1


@pytest.mark.parametrize("kind", EXACT_STORES)
def test_changes_keep_the_count_in_the_mark_right(
    kind: str, engine: Engine, of: SpaceSummary, milvus: Address, opened: ExitStack
) -> None:
    store = store_of(kind, engine, of, milvus, opened)
    rows = np.stack([unit(1, number, 0, 0) for number in range(4)])
    none = np.empty((0, 4), np.float32)
    store.change(left=NO_IDS, ids=np.arange(4), vectors=rows, watermark=1)
    store.change(left=NO_IDS, ids=np.arange(4), vectors=rows, watermark=1)  # the same again
    assert (store.mark().held, store.is_whole()) == (4, True)
    store.change(left=np.array([0, 9]), ids=NO_IDS, vectors=none, watermark=2)
    assert (store.mark().held, store.is_whole()) == (3, True)


class DyingServer:
    """Milvus whose client dies before it writes the mark for the second time."""

    def __init__(self, server: MilvusServer) -> None:
        self._server = server
        self._marks = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._server, name)

    def put(self, name: str, rows: list[dict[str, object]]) -> None:
        self._marks += name.endswith("_mark")
        if self._marks == 2:
            raise InterruptedError
        self._server.put(name, rows)


def test_whoever_dies_while_changing_milvus_costs_no_filling_and_hides_no_loss(
    engine: Engine, of: SpaceSummary, milvus: Address, opened: ExitStack
) -> None:
    add(engine, of, count=5)
    store = store_of("milvus exact", engine, of, milvus, opened)
    fill(engine, store, of)
    add(engine, of, first=6, count=1)
    server: MilvusServer = DyingServer(MilvusServer(milvus))  # type: ignore[assignment]
    opened.callback(server.close)
    dying = StoredIndex(MilvusStore(server, of, EXACT, archive="tests"), of)
    with engine.connect() as connection:
        dying.catch_up(connection)
    with pytest.raises(InterruptedError):
        dying.save(engine)
    assert store.mark().unsure == 1
    assert not is_due(engine, store, of)
    index = StoredIndex(store, of)
    with engine.connect() as connection:
        index.catch_up(connection)
    assert index.save(engine)
    assert (store.mark().held, store.mark().unsure) == (6, 0)
    truncate("milvus", engine, of, milvus)
    assert is_due(engine, store, of)


def test_a_copy_of_a_database_leaves_the_vectors_of_the_other_alone(
    engine: Engine, of: SpaceSummary, milvus: Address, opened: ExitStack
) -> None:
    def of_owner(owner: int) -> MilvusStore:
        store = MilvusStore(MilvusServer(milvus), of, EXACT, archive="copied", owner=owner)
        opened.callback(store.close)
        return store

    add(engine, of)
    theirs, copys = of_owner(7), of_owner(8)
    fill(engine, theirs, of)
    assert is_due(engine, copys, of)  # answers come from the database
    for write in (
        lambda: fill(engine, copys, of),
        lambda: copys.change(
            left=NO_IDS, ids=NO_IDS, vectors=np.empty((0, 4), np.float32), watermark=9
        ),
        copys.drop,
        copys.build,
    ):
        with pytest.raises(StoreError, match=r"another database.*index\.milvus_uri.*dropped"):
            write()
    assert theirs.count() == COUNT
    assert not is_due(engine, theirs, of, most=0)
    theirs.drop()  # by hand, once the other database is no more
    again = of_owner(8)
    fill(engine, again, of)
    assert not is_due(engine, again, of, most=0)
    assert StoredIndex(again, of).count == COUNT


def test_of_an_empty_store_whoever_fills_it_is_the_owner(
    engine: Engine, of: SpaceSummary, milvus: Address, opened: ExitStack
) -> None:
    stores = [
        MilvusStore(MilvusServer(milvus), of, EXACT, archive="empty", owner=owner)
        for owner in (7, 8)
    ]
    for store in stores:
        opened.callback(store.close)
    index = StoredIndex(stores[0], of)
    assert index.follow()
    stores[0].empty()
    add(engine, of)
    fill(engine, stores[1], of)
    assert stores[1].mark().owner == 8
    assert not index.follow()
    with pytest.raises(StoreError, match="being filled anew"):
        index.search(QUERY, 1)


def test_a_copy_of_a_database_has_another_owner_and_an_ordinary_user_can_tell(
    engine: Engine, postgres: str
) -> None:
    with as_administrator(postgres) as connection:
        connection.execute(text("DROP DATABASE IF EXISTS copied WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE copied TEMPLATE likeness_template"))
        connection.execute(text("DROP ROLE IF EXISTS ordinary"))
        connection.execute(text("CREATE ROLE ordinary LOGIN"))
    url = make_url(postgres).set(database="copied", username="ordinary")
    copied = connect(url.render_as_string(hide_password=False))
    assert owner_of(copied) == owner_of(copied)
    assert owner_of(copied) != owner_of(engine)
    assert 0 < owner_of(copied) < 2**63
    copied.dispose()
    with as_administrator(postgres) as connection:
        connection.execute(text("DROP ROLE ordinary"))


@contextmanager
def locked(engine: Engine, of: SpaceSummary, mode: str) -> Iterator[Connection]:
    """Somebody who has a lock on the table for the block."""
    with engine.begin() as connection:
        connection.execute(text(f"LOCK TABLE {SCHEMA}.{name_of(of.id)} IN {mode} MODE"))
        yield connection


def test_who_opens_a_table_waits_for_nobody_who_reads_it_or_builds_its_graph(
    engine: Engine, of: SpaceSummary
) -> None:
    first = PgVectorStore(engine, of, EXACT)
    for mode in ("ACCESS SHARE", "SHARE"):  # SELECT's, and CREATE INDEX's
        with locked(engine, of, mode), engine.begin() as connection:
            connection.execute(text("SET LOCAL lock_timeout = 50"))
            first._tables.make(connection)
    first.close()


@pytest.mark.parametrize("is_read", [False, True])
def test_emptying_a_table_does_not_wait_for_who_reads_it_long(
    is_read: bool, engine: Engine, of: SpaceSummary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgvector, "EMPTYING_S", 0.05)
    store = PgVectorStore(engine, of, Choice(Kind.HNSW))
    rows = np.stack([unit(1, number, 0, 0) for number in range(4)])
    store.change(left=NO_IDS, ids=np.arange(4), vectors=rows, watermark=1)
    store.build()
    with ExitStack() as stack:
        if is_read:
            stack.enter_context(locked(engine, of, "ACCESS SHARE"))
        store.empty()
    assert (store.mark(), store.count(), store.is_whole()) == (Mark(), 0, True)
    assert graphs(engine) == (1 if is_read else 0)
    store.close()


def test_a_graph_is_built_before_the_table_is_locked_to_drop_the_old_one(
    engine: Engine, of: SpaceSummary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgvector, "BUILDING", Limits(statement_s=60, lock_s=0.1))
    with ExitStack() as opened:
        stores = [
            store_of(kind, engine, of, Address(""), opened)
            for kind in IN_PGVECTOR
            if "hnsw" in kind
        ]
        stores[0].build()
        with locked(engine, of, "ACCESS SHARE"), pytest.raises(StoreError, match="lock timeout"):
            stores[1].build()
        assert graphs(engine) == 2
        stores[1].build()
    assert graphs(engine) == 1


def graphs(engine: Engine) -> int:
    with engine.connect() as connection:
        count = text("SELECT count(*) FROM pg_indexes WHERE indexname LIKE '%_graph'")
        return int(connection.execute(count).scalar_one())
