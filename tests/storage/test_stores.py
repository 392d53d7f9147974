"""Stores of vectors: what their graphs find, what is wrong with one, who writes to it."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url

from storage import embeddings
from storage.answer import SpaceSummary
from storage.database import connect
from storage.index_check import check
from storage.outages import StoreError, is_outage
from storage.stores.filling import fill, must_be_filled
from storage.stores.milvus import FETCHED_MOST, MilvusStore
from storage.stores.milvus_server import Address, MilvusServer
from storage.stores.opening import StoreWanted, archive_of, open_store
from storage.stores.pgvector import PgVectorStore
from storage.stores.pgvector_tables import SCHEMA
from storage.stores.store import NO_IDS, Shortlisted, name_of
from storage.stores.stored_index import StoredIndex
from storage.stores.writer_lock import writing_alone
from storage.vectors.choice import EXACT, Choice, Kind, Precision
from storage.vectors.metric import Metric, VectorError, Vectors
from storage.vectors.segment import Ids
from tests.conftest import as_administrator
from tests.storage.kept_vectors import IN_MILVUS, IN_PGVECTOR, IS_EXACT, Dying, store_of
from tests.storage.made import add_study, space, unit

STORES = [*IN_PGVECTOR, *IN_MILVUS]
EXACT_STORES = ["pgvector exact", "milvus exact"]
COUNT, WIDTH, K = 2500, 32, 10
QUERY = unit(1, 0.1, 0, 0)


def clustered() -> tuple[Vectors, Vectors]:
    """Vectors in 20 clusters, as those of images are, and 50 more to ask with."""
    random = np.random.default_rng(3)
    centres = random.normal(size=(20, WIDTH))
    every = centres[random.integers(0, 20, COUNT + 50)]
    every = every + 0.5 * random.normal(size=every.shape)
    found = (every / np.linalg.norm(every, axis=1, keepdims=True)).astype(np.float32)
    return found[:COUNT], found[COUNT:]


def recall(index: StoredIndex, among: NDArray[np.int64] | None) -> float:
    """Of the K nearest of those rows, by definition, the share that is found; all K are."""
    vectors, queries = clustered()
    rows = np.arange(COUNT) if among is None else among
    hits = 0
    for query, answer in zip(queries, index.search_each(queries, K, among=among), strict=True):
        distances = Metric.COSINE.distances(query, vectors[rows])
        nearest = rows[np.lexsort((rows, distances))[:K]]
        assert len(answer) == min(K, len(rows))
        hits += len({entry.key for entry in answer} & set(nearest.tolist()))
    return hits / (len(queries) * min(K, len(rows)))


@pytest.mark.parametrize("kind", STORES)
def test_a_store_finds_what_it_promises_whatever_filter_there_is(
    kind: str, engine: Engine, of: SpaceSummary, milvus: Address, opened: ExitStack
) -> None:
    of = replace(of, dimension=WIDTH)
    store = store_of(kind, engine, of, milvus, opened)
    store.change(left=NO_IDS, ids=np.arange(COUNT), vectors=clustered()[0], watermark=1)
    store.build()
    index = StoredIndex(store, of)
    least = 1.0 if kind in IS_EXACT else 0.99
    assert recall(index, None) >= least
    for share in (1.0, 0.1, 0.01, 0.001):
        some = np.random.default_rng(5).permutation(COUNT)[: int(share * COUNT)]
        assert recall(index, np.sort(some)) >= least


class LosesWhatIsFiltered(Dying):
    """A store that misses the nearest behind a filter, as a graph may."""

    def nearest(self, queries: Vectors, k: int, among: Ids | None) -> list[Shortlisted]:
        found = self._store.nearest(queries, k, among)
        if among is None:
            return found
        return [Shortlisted(one.ids[1:], one.vectors[1:], one.bound) for one in found]


def test_a_filter_is_exact_in_milvus_whatever_its_graph_loses(
    engine: Engine, of: SpaceSummary, milvus: Address, opened: ExitStack
) -> None:
    """More ids than are fetched at once."""
    of = replace(of, dimension=WIDTH)
    store = store_of("milvus hnsw", engine, of, milvus, opened)
    store.change(left=NO_IDS, ids=np.arange(COUNT), vectors=clustered()[0], watermark=1)
    store.build()
    some = np.arange(COUNT - FETCHED_MOST - 100, COUNT)
    assert recall(StoredIndex(LosesWhatIsFiltered(store), of), some) == 1.0


@pytest.mark.parametrize("kind", STORES)
def test_equal_vectors_do_not_hide_each_other(
    kind: str, engine: Engine, of: SpaceSummary, milvus: Address, opened: ExitStack
) -> None:
    store = store_of(kind, engine, of, milvus, opened)
    equal = np.repeat(unit(1, 2, 3, 4)[np.newaxis], 300, axis=0)
    store.change(left=NO_IDS, ids=np.arange(300)[::-1].copy(), vectors=equal, watermark=1)
    store.build()
    found = StoredIndex(store, of).search(unit(1, 2, 3, 4), 20)
    assert len({entry.key for entry in found}) == 20
    if kind in IS_EXACT:
        assert [entry.key for entry in found] == list(range(20))


@pytest.mark.parametrize("kind", EXACT_STORES)
def test_what_cannot_be_asked_is_refused_and_what_is_not_there_not_found(
    kind: str, engine: Engine, of: SpaceSummary, milvus: Address, opened: ExitStack
) -> None:
    store = store_of(kind, engine, of, milvus, opened)
    index = StoredIndex(store, of)
    assert index.search(QUERY, 3) == []  # an empty store
    store.change(left=NO_IDS, ids=np.array([4]), vectors=QUERY[np.newaxis], watermark=1)
    assert [entry.key for entry in index.search(QUERY, 30)] == [4]  # more than there are
    assert index.search(QUERY, 3, among=NO_IDS) == []
    assert index.search(QUERY, 3, among=np.array([5, 6])) == []
    for wrong in (unit(1, 2, 3), np.full(4, np.nan, np.float32), np.zeros(4, np.float32)):
        with pytest.raises(VectorError):
            index.search(wrong, 3)
    with pytest.raises(VectorError, match="at least one"):
        index.search(QUERY, 0)
    with pytest.raises(KeyError):
        index.vectors([5])


@pytest.mark.parametrize("kind", EXACT_STORES)
def test_a_store_is_filled_anew_where_it_lacks_much_or_was_restored(
    kind: str, engine: Engine, of: SpaceSummary, milvus: Address, opened: ExitStack
) -> None:
    store = store_of(kind, engine, of, milvus, opened)
    with engine.begin() as connection:
        for number in range(3):
            add_study(connection, of, f"1.{number}", [unit(1, number, 0, 0)])
        assert must_be_filled(connection, store, of, most=2)
        assert not must_be_filled(connection, store, of, most=3)
    told: list[tuple[int, int]] = []
    assert fill(engine, store, of, reading=lambda done, count: told.append((done, count))) == 3
    assert told == [(3, 3)]
    with engine.connect() as connection:
        assert check(connection, StoredIndex(store, of)).faults == []
        assert not must_be_filled(connection, store, of, most=0)
    store.change(left=NO_IDS, ids=NO_IDS, vectors=np.empty((0, 4), np.float32), watermark=10**9)
    with engine.connect() as connection:  # behind the store: it was restored
        assert must_be_filled(connection, store, of, most=10)
    fill(engine, store, of)
    with engine.connect() as connection:
        assert not must_be_filled(connection, store, of, most=0)


@pytest.mark.parametrize("kind", EXACT_STORES)
def test_whoever_dies_while_filling_leaves_a_store_that_nobody_takes_for_whole(
    kind: str, engine: Engine, of: SpaceSummary, milvus: Address, opened: ExitStack
) -> None:
    store = store_of(kind, engine, of, milvus, opened)
    with engine.begin() as connection:
        study = add_study(connection, of, "1.1", [unit(1, 0, 0, 0)])
        add_study(connection, of, "1.2", [unit(0, 1, 0, 0)])
    fill(engine, store, of)
    before = StoredIndex(store, of)

    def die(*_: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        fill(engine, store, of, reading=die)
    assert not before.follow()
    assert not before.save(engine)
    with pytest.raises(StoreError, match="filled anew"):
        before.search(QUERY, 3)
    with engine.begin() as connection:
        embeddings.retire_study(connection, space_id=of.id, study_id=study)
    after = StoredIndex(store, of)
    with engine.connect() as connection:
        after.catch_up(connection)
        assert check(connection, after).faults == []


@pytest.mark.parametrize("kind", STORES)
def test_of_ids_that_may_have_left_those_that_are_held_are_given(
    kind: str, engine: Engine, of: SpaceSummary, milvus: Address, opened: ExitStack
) -> None:
    """One in the store, one that came since, one that left since, one that never was."""
    store = store_of(kind, engine, of, milvus, opened)
    with engine.begin() as connection:
        gone = add_study(connection, of, "1.1", [unit(1, 0, 0, 0)])
        add_study(connection, of, "1.2", [unit(0, 1, 0, 0)])
    fill(engine, store, of)
    with engine.begin() as connection:
        live = embeddings.live_ids(connection, space_id=of.id)
        embeddings.retire_study(connection, space_id=of.id, study_id=gone)
        add_study(connection, of, "1.3", [unit(0, 0, 1, 0)])
    index = StoredIndex(store, of)
    with engine.connect() as connection:
        index.catch_up(connection)
    left, stays = sorted(live.tolist())
    [came] = set(index.ids().tolist()) - {stays}
    ids, vectors = index.held([came, left, stays, 10**9, stays])
    assert ids.tolist() == [stays, came]
    np.testing.assert_array_equal(vectors, [unit(0, 1, 0, 0), unit(0, 0, 1, 0)])
    vectors[:] = 0  # the caller's own
    np.testing.assert_array_equal(index.vectors([came]), [unit(0, 0, 1, 0)])


@pytest.mark.parametrize("kind", EXACT_STORES)
def test_two_owners_write_one_after_the_other(
    kind: str, engine: Engine, of: SpaceSummary, milvus: Address, opened: ExitStack
) -> None:
    store = store_of(kind, engine, of, milvus, opened)
    first, second = StoredIndex(store, of), StoredIndex(store, of)
    with engine.begin() as connection:
        study = add_study(connection, of, "1.1", [unit(1, 0, 0, 0)])
        add_study(connection, of, "1.2", [unit(0, 1, 0, 0)])
        first.catch_up(connection)
    with engine.begin() as connection:
        embeddings.retire_study(connection, space_id=of.id, study_id=study)
        second.catch_up(connection)
    with writing_alone(engine, of.id) as alone:
        assert alone
        assert not first.save(engine)
    assert second.save(engine)
    assert first.save(engine)  # it is behind by now, and brings nothing back
    for index in (first, second):
        with engine.connect() as connection:
            index.catch_up(connection)
            assert check(connection, index).faults == []
        assert index.changed == 0


def test_verify_sees_what_is_wrong_in_a_store(engine: Engine, of: SpaceSummary) -> None:
    store = PgVectorStore(engine, of, EXACT)
    with engine.begin() as connection:
        for number in range(3):
            add_study(connection, of, f"1.{number}", [unit(1, number, 0, 0)])
    fill(engine, store, of)
    index = StoredIndex(store, of)
    lost, altered, last = index.ids().tolist()
    mark = store.mark().watermark
    new = np.stack([unit(9, 9, 9, 9), unit(1, 1, 1, 1)])
    ids = np.array([altered, last + 5])
    store.change(left=np.array([lost]), ids=ids, vectors=new, watermark=mark)
    with engine.connect() as connection:
        assert sorted(check(connection, index).faults) == [
            f"embedding {lost} is not in the index",
            f"embedding {altered} differs between index and database",
            f"embedding {last + 5} is in the index but not in the database",
        ]
    store.close()


def test_a_removed_store_leaves_nothing(engine: Engine, of: SpaceSummary, milvus: Address) -> None:
    store = PgVectorStore(engine, of, EXACT)
    store.drop()
    store.close()
    with engine.connect() as connection:
        left = text("SELECT count(*) FROM pg_tables WHERE tablename = :name")
        assert connection.execute(left, {"name": name_of(of.id)}).scalar_one() == 0
        assert connection.execute(text(f"SELECT count(*) FROM {SCHEMA}.marks")).scalar_one() == 0
    server = MilvusServer(milvus)
    MilvusStore(server, of, EXACT, archive="gone").drop()
    assert not server.has(name_of(of.id, "gone"))
    assert not server.has(f"{name_of(of.id, 'gone')}_mark")
    server.close()


@pytest.mark.parametrize(
    ("dimension", "choice", "said"),
    [
        (16_001, EXACT, "at most 16000 dimensions"),
        (2001, Choice(Kind.HNSW), "fp16"),
        (4001, Choice(Kind.HNSW, Precision.FP16), "store_search = 'exact'"),
        (4, Choice(Kind.HNSW, Precision.INT8), "index.precision"),
    ],
)
def test_what_pgvector_cannot_hold_is_said_at_once(
    dimension: int, choice: Choice, said: str, engine: Engine
) -> None:
    with pytest.raises(StoreError, match=said):
        PgVectorStore(engine, space(dimension), choice)


def test_codes_lie_in_no_store(engine: Engine, milvus: Address) -> None:
    codes = replace(space(64), metric="hamming")
    for wanted in (StoreWanted(EXACT), StoreWanted(EXACT, milvus.uri)):
        with pytest.raises(StoreError, match="engine = 'exact'"):
            open_store(engine, codes, wanted)


def test_more_than_two_thousand_dimensions_have_a_graph_in_half_precision(engine: Engine) -> None:
    wide = space(2500)
    store = PgVectorStore(engine, wide, Choice(Kind.HNSW, Precision.FP16))
    vectors = np.random.default_rng(0).normal(size=(40, 2500))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = vectors.astype(np.float32)
    store.change(left=NO_IDS, ids=np.arange(40), vectors=rows, watermark=1)
    store.build()
    assert StoredIndex(store, wide).search(rows[7], 1)[0].key == 7
    np.testing.assert_array_equal(store.vectors(np.array([7]))[1][0], rows[7])
    store.close()


def test_without_the_extension_the_remedy_is_told(
    database_url: str, engine: Engine, bare_role: str
) -> None:
    url = make_url(database_url).set(username=bare_role).render_as_string(hide_password=False)
    theirs = connect(url)
    try:
        with pytest.raises(StoreError, match="CREATE EXTENSION vector") as told:
            PgVectorStore(theirs, space(), EXACT)
    finally:
        theirs.dispose()
    assert is_outage(told.value)


def test_a_table_that_somebody_dropped_is_told_and_filled_anew(engine: Engine) -> None:
    store = PgVectorStore(engine, space(), EXACT)
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)])
    fill(engine, store, space())
    index = StoredIndex(store, space())
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {SCHEMA} CASCADE"))
    with pytest.raises(StoreError, match="likeness reindex"):
        index.search(QUERY, 1)
    store.close()
    again = PgVectorStore(engine, space(), EXACT)
    fill(engine, again, space())
    assert StoredIndex(again, space()).count == 1
    again.close()


def test_a_collection_that_somebody_dropped_is_told(
    engine: Engine, of: SpaceSummary, milvus: Address, opened: ExitStack
) -> None:
    store = store_of("milvus exact", engine, of, milvus, opened)
    index = StoredIndex(store, of)
    server = MilvusServer(milvus)
    server.remove(name_of(of.id, "tests"))
    with pytest.raises(StoreError, match="likeness reindex"):
        index.search(QUERY, 1)
    server.close()


def test_a_foreign_collection_is_not_touched(of: SpaceSummary, milvus: Address) -> None:
    server = MilvusServer(milvus)
    for other in (replace(of, dimension=5), replace(of, metric="l2")):
        name = name_of(of.id, f"{other.metric}{other.dimension}")
        metric = "L2" if other.metric == "l2" else "IP"
        server.make(name, other.dimension, {"index_type": "FLAT", "metric_type": metric})
        with pytest.raises(StoreError, match="it is not ours"):
            MilvusStore(server, of, EXACT, archive=f"{other.metric}{other.dimension}")
        assert server.has(name)
    server.close()


@pytest.mark.parametrize("user", ["", "a:secret@"])
def test_nobody_at_the_address_of_milvus_is_an_outage_and_not_an_answer(
    user: str, free_port: int
) -> None:
    uri = f"http://{user}127.0.0.1:{free_port}"
    with pytest.raises(StoreError, match=r"127.0.0.1:\d+ .*index.milvus_uri") as told:
        MilvusServer(Address(uri, token="a:secret", timeout_s=1))
    assert is_outage(told.value)
    assert "secret" not in str(told.value)


def test_the_token_of_milvus_is_not_shown() -> None:
    for holder in (Address("http://m", "a:secret"), StoreWanted(EXACT, "http://m", "a:secret")):
        assert "secret" not in repr(holder)


def test_searches_go_on_while_the_store_changes(
    engine: Engine, of: SpaceSummary, milvus: Address, opened: ExitStack
) -> None:
    """Each sees all of what was there, and what came is seen once it is caught up."""
    index = StoredIndex(store_of("pgvector exact", engine, of, milvus, opened), of)
    counts: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            counts.append(len(index.search(QUERY, 100)))

    asking = threading.Thread(target=ask)
    asking.start()
    for number in range(8):
        with engine.begin() as connection:
            add_study(connection, of, f"1.{number}", [unit(1, number, 0, 0)])
        with engine.connect() as connection:
            index.catch_up(connection)
        assert index.save(engine)
    stop.set()
    asking.join()
    assert counts == sorted(counts)
    assert len(index.search(QUERY, 100)) == 8


class WithArrivals(Dying):
    """A store that is slow: vectors come and leave while it takes others in."""

    arrive: Callable[[], None]

    def change(self, *, left: Ids, ids: Ids, vectors: Vectors, watermark: int) -> None:
        self._store.change(left=left, ids=ids, vectors=vectors, watermark=watermark)
        self.arrive()


def test_what_comes_and_leaves_while_it_is_saved_is_not_lost(
    engine: Engine, of: SpaceSummary, milvus: Address, opened: ExitStack
) -> None:
    store = WithArrivals(store_of("pgvector exact", engine, of, milvus, opened))
    index = StoredIndex(store, of)
    with engine.begin() as connection:
        study = add_study(connection, of, "1.1", [unit(1, 0, 0, 0)])
        index.catch_up(connection)

    def arrive() -> None:
        with engine.begin() as connection:
            embeddings.retire_study(connection, space_id=of.id, study_id=study)
            add_study(connection, of, "1.2", [unit(0, 1, 0, 0), unit(0, 0, 1, 0)])
            index.catch_up(connection)

    store.arrive = arrive
    assert index.save(engine)
    assert index.changed == 3
    with engine.connect() as connection:
        assert check(connection, index).faults == []


def test_archives_that_share_a_milvus_have_collections_of_their_own(
    engine: Engine, postgres: str
) -> None:
    assert archive_of(engine) == archive_of(engine)
    with as_administrator(postgres) as connection:
        connection.execute(text("DROP DATABASE IF EXISTS another WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE another TEMPLATE likeness_template"))
    other = connect(str(make_url(postgres).set(database="another").render_as_string(False)))
    assert archive_of(other) != archive_of(engine)
    other.dispose()
