"""A node whose vectors lie in a store: filled beside the work, followed, and away for a while."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from dicom_node import asking, store_index
from dicom_node.http.blocking import Threads
from dicom_node.settings import IndexSettings, Settings
from dicom_node.shared_index import SharedIndex
from dicom_node.store_index import StoreOwner, StoreReader, fill_store, forget_store
from storage.database_index import DatabaseIndex
from storage.outages import StoreError
from storage.searchable import Searchable
from storage.stores.pgvector import PgVectorStore
from storage.stores.pgvector_tables import SCHEMA
from storage.stores.stored_index import StoredIndex
from storage.stores.writer_lock import writing_alone
from tests.dicom_node.command_line import Likeness, Ran
from tests.dicom_node.worked import running, worked_node
from tests.storage.made import add_study, space, unit
from tests.storage.milvus_lite import milvus_lite
from tests.waiting import wait_until

SPACE = space(3)
COUNT = 30
PGVECTOR = IndexSettings(engine="pgvector")


@contextmanager
def owned(
    engine: Engine, settings: IndexSettings = PGVECTOR, most: int = COUNT - 1
) -> Iterator[StoreOwner]:
    """A worker's index that has begun, for as long as the block lasts."""
    index = StoreOwner(engine, settings, SPACE, node="2.25.1", most=most)
    index.begin()
    try:
        yield index
    finally:
        index.close()


def _now(engine: Engine, index: StoreOwner | StoreReader) -> Searchable:
    with engine.connect() as connection:
        return index.now(connection)


def _add(engine: Engine, study: str, count: int = 1) -> None:
    with engine.begin() as connection:
        add_study(connection, SPACE, study, [unit(1, n, n * n) for n in range(count)])


def _stored(engine: Engine) -> int:
    with engine.connect() as connection:
        marks = connection.execute(text(f"SELECT watermark FROM {SCHEMA}.marks"))
        return int(marks.scalar_one())


def test_the_database_answers_until_the_store_is_filled(engine: Engine) -> None:
    _add(engine, "1.1", COUNT)
    reader = StoreReader(PGVECTOR, SPACE, most=COUNT - 1)
    assert isinstance(_now(engine, reader), DatabaseIndex)
    with owned(engine) as index:
        wait_until(lambda: isinstance(_now(engine, index), StoredIndex), "the store to be filled")
        [found] = _now(engine, index).search_each(unit(1, 3, 9)[np.newaxis], 1)
        assert found[0].key == _now(engine, index).ids()[3]
        assert isinstance(_now(engine, reader), StoredIndex)
        assert _now(engine, reader).count == COUNT
    reader.close()


def test_what_comes_is_found_at_once_and_put_into_the_store_when_it_is_much(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_index, "save_after", lambda _: 3)
    reader = StoreReader(PGVECTOR, SPACE)
    with owned(engine, most=COUNT) as index:
        for number in range(5):
            _add(engine, f"1.{number}")
            assert _now(engine, index).count == _now(engine, reader).count == number + 1

        def saved() -> bool:
            index.look()
            return _stored(engine) >= 3

        wait_until(saved, "the store to have what came")
        assert _now(engine, reader).count == 5
        wait_until(lambda: not _looked(engine, reader).held, "the reader to follow")
    assert _stored(engine) == 5  # what came last is put there at the end
    reader.close()


def test_while_another_node_writes_no_look_tries_again_at_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_index, "save_after", lambda _: 1)
    tried: list[bool] = []
    save = StoredIndex.save

    def counted(self: StoredIndex, engine: Engine) -> bool:
        tried.append(save(self, engine))
        return tried[-1]

    monkeypatch.setattr(StoredIndex, "save", counted)
    with owned(engine, most=COUNT) as index:
        with writing_alone(engine, SPACE.id):
            _add(engine, "1.1")
            wait_until(lambda: _after_looking(index, tried), "the first try")
            for _ in range(20):
                _after_looking(index, tried)
                _until_idle()
            assert tried == [False]
        monkeypatch.setattr(store_index, "RETRY_S", 0.0)
        wait_until(lambda: _after_looking(index, tried) == [False, True], "the second try")
    assert _stored(engine) == 1


def _after_looking(index: StoreOwner, tried: list[bool]) -> list[bool]:
    index.look()
    return tried


def _until_idle() -> None:
    for thread in threading.enumerate():
        if thread.name == "index-store":
            thread.join()


def test_a_graph_is_measured_once_it_is_filled_and_again_when_it_has_grown(
    engine: Engine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_index, "save_after", lambda _: COUNT)
    graph = IndexSettings(engine="pgvector", store_search="hnsw")
    _add(engine, "1.1", COUNT)

    def measured(index: StoreOwner, count: int) -> bool:
        index.look()
        return f"of the ten nearest with {count} vectors" in caplog.text

    with caplog.at_level(logging.INFO), owned(engine, graph, most=COUNT - 1) as index:
        wait_until(lambda: measured(index, COUNT), "the first measure")
        _add(engine, "1.2", COUNT)
        _now(engine, index)
        wait_until(lambda: measured(index, 2 * COUNT), "the second measure")
    caplog.clear()
    with caplog.at_level(logging.INFO), owned(engine, graph, most=COUNT) as index:
        wait_until(lambda: measured(index, 2 * COUNT), "what was measured to be told")


def test_whoever_reindexes_measures_the_graph(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    _add(engine, "1.1", COUNT)
    with caplog.at_level(logging.INFO):
        fill_store(engine, IndexSettings(engine="pgvector", store_search="hnsw"), SPACE, _quietly)
    assert f"finds 100.0% of the ten nearest with {COUNT} vectors" in caplog.text


def _quietly(done: int, of: int) -> None:
    """Progress that nobody wants to see."""


def _looked(engine: Engine, reader: StoreReader) -> StoreReader:
    with engine.connect() as connection:
        reader.look(connection)
    return reader


def test_who_reads_goes_on_after_a_reindex_and_after_a_restore(engine: Engine) -> None:
    _add(engine, "1.1", 3)
    reader = StoreReader(PGVECTOR, SPACE)
    with owned(engine, most=COUNT):
        assert _now(engine, reader).count == 3
    fill_store(engine, PGVECTOR, SPACE, lambda *_: None)
    assert _now(engine, reader).count == 3
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM embeddings WHERE change > 1"))
        connection.execute(text("SELECT setval('embedding_changes', 1)"))
    assert isinstance(_now(engine, reader), DatabaseIndex)
    with owned(engine, most=COUNT) as index:
        wait_until(lambda: isinstance(_now(engine, index), StoredIndex), "the store to be filled")
        assert _now(engine, index).count == _now(engine, reader).count == 1
    reader.close()


def connections(engine: Engine) -> int:
    """Of the database, besides the one that asks."""
    with engine.connect() as connection:
        others = text(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(connection.execute(others).scalar_one())


def test_no_reader_leaves_connections_behind(engine: Engine, tmp_path: Path) -> None:
    _add(engine, "1.1", 3)
    settings = Settings(data_folder=tmp_path, index=PGVECTOR)
    fill_store(engine, PGVECTOR, SPACE, _quietly)
    shared = SharedIndex(settings)
    with engine.connect() as connection:
        with asking.read_only_index(connection, settings, SPACE) as index:
            assert index.count == 3
        wait_until(lambda: connections(engine) == 1, "the index that was let go to be closed")
        assert shared.of(connection, SPACE).count == 3
        assert shared.of(connection, replace(SPACE, id="space-new")).count == 0
        wait_until(lambda: connections(engine) == 2, "that of the old space to be closed")


def test_an_owner_that_cannot_begin_leaves_no_connections_behind(engine: Engine) -> None:
    before = connections(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP SEQUENCE embedding_changes CASCADE"))
    with pytest.raises(DBAPIError):
        StoreOwner(engine, PGVECTOR, SPACE, node="2.25.1")
    wait_until(lambda: connections(engine) == before, "its connections to be closed")


def test_a_store_is_not_closed_under_who_still_builds(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_index, "END_S", 0.0)
    goes_on, faults = threading.Event(), []

    def build(self: PgVectorStore) -> None:
        goes_on.wait(20)
        try:
            self.count()
        except StoreError as fault:
            faults.append(fault)

    monkeypatch.setattr(PgVectorStore, "build", build)
    _add(engine, "1.1")
    with owned(engine, most=COUNT) as index:
        reader = index._reader
    assert reader._store is not None  # it is in use
    goes_on.set()
    _until_idle()
    assert not faults
    reader.close()


def test_what_is_written_is_taken_in_while_the_store_is_away(
    engine: Engine, tmp_path: Path, free_port: int
) -> None:
    """Whoever asks it hears of it, also while another waits for the store."""
    away = IndexSettings(
        engine="milvus", milvus_uri=f"http://127.0.0.1:{free_port}", milvus_timeout_s=2
    )
    with milvus_lite(tmp_path, free_port):
        index = StoreOwner(engine, away, SPACE, node="2.25.1")
    _add(engine, "1.1", 3)
    with engine.connect() as connection:
        index.catch_up(connection)
        assert index.held == 3
        with pytest.raises(StoreError, match="does not answer"):
            index.now(connection)
        with index._catching_up:
            index.catch_up(connection)
    index._reader.close()


def test_a_removed_space_leaves_no_vectors(engine: Engine) -> None:
    _add(engine, "1.1", 3)
    fill_store(engine, PGVECTOR, SPACE, lambda *_: None)
    forget_store(engine, PGVECTOR, SPACE)
    with engine.connect() as connection:
        tables = text("SELECT tablename FROM pg_tables WHERE schemaname = :schema")
        assert connection.execute(tables, {"schema": SCHEMA}).scalars().all() == ["marks"]


def test_a_node_answers_out_of_pgvector(engine: Engine, tmp_path: Path) -> None:
    with worked_node(engine, tmp_path, sections={"index": {"engine": "pgvector"}}) as node:
        node.queue("1.1", "1.2", calling="CT1")
        while node.loop.work_next():
            pass
        assert node.is_done()
        assert node.sent_to() == ["pacs", "pacs"]
        node.worker.index.close()


def test_while_milvus_is_away_the_worker_waits_and_goes_on_by_itself(
    engine: Engine, tmp_path: Path, free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    uri = f"http://127.0.0.1:{free_port}"
    index = {"engine": "milvus", "milvus_uri": uri, "milvus_timeout_s": 2}
    with ExitStack() as stack:
        with milvus_lite(tmp_path, free_port):
            opened = worked_node(engine, tmp_path / "node", sections={"index": index})
            node = stack.enter_context(opened)
        stack.callback(node.worker.index.close)
        node.queue("1.1", calling="CT1")
        stack.enter_context(running(node.loop.run))
        wait_until(lambda: "waits for" in caplog.text, "the worker to wait")
        assert f"Milvus at 127.0.0.1:{free_port} does not answer" in caplog.text
        assert not node.is_done()
        with milvus_lite(tmp_path, free_port):
            wait_until(node.is_done, "the worker to go on")


def test_while_milvus_is_away_a_study_is_worked_that_nobody_is_answered_about(
    engine: Engine, tmp_path: Path, free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    uri = f"http://127.0.0.1:{free_port}"
    index = {"engine": "milvus", "milvus_uri": uri, "milvus_timeout_s": 2}
    with ExitStack() as stack:
        with milvus_lite(tmp_path, free_port):
            opened = worked_node(engine, tmp_path / "node", sections={"index": index})
            node = stack.enter_context(opened)
        stack.callback(node.worker.index.close)
        node.queue("1.1", calling="")
        stack.enter_context(running(node.loop.run))
        wait_until(node.is_done, "the study to be worked")
        assert "waits for" not in caplog.text


def test_over_http_it_is_told_as_an_outage_and_not_where_the_store_is() -> None:
    def ask() -> None:
        raise StoreError("Milvus at m:19530 does not answer")

    threads = Threads("answers", threads=1, patience_s=20)
    with pytest.raises(HTTPException) as told:
        asyncio.run(threads.run(ask))
    assert (told.value.status_code, told.value.headers) == (503, {"Retry-After": "10"})
    assert told.value.detail == "the store of vectors does not answer: ask again later"


def _with_index(settings_file: Path, *lines: str) -> Path:
    index = "\n".join(["[index]", *lines, "[[peers]]"])
    path = settings_file.with_name("store.toml")
    path.write_text(settings_file.read_text().replace("[[peers]]", index, 1))
    return path


def test_verify_and_reindex_of_a_store(
    likeness: Likeness, engine: Engine, settings_file: Path
) -> None:
    _add(engine, "1.1", 3)
    settings = _with_index(settings_file, 'engine = "pgvector"')
    agree = "index and database agree: 3 vectors\n"
    assert likeness("verify", settings=settings) == Ran(0, agree, "")
    filled = f"store of space {SPACE.id} filled: 3 vectors\n"
    assert likeness("reindex", settings=settings) == Ran(0, filled, "")
    with engine.begin() as connection:
        name = connection.execute(text(f"SELECT name FROM {SCHEMA}.marks")).scalar_one()
        connection.execute(text(f"DELETE FROM {SCHEMA}.{name} WHERE id = 2"))
    ran = likeness("verify", settings=settings)
    assert (ran.code, ran.out) == (1, "embedding 2 is not in the index\n")
    likeness("reindex", settings=settings)
    assert likeness("verify", settings=settings) == Ran(0, agree, "")


def test_on_the_command_line_an_unreachable_store_is_told_with_the_remedy(
    likeness: Likeness, engine: Engine, settings_file: Path, free_port: int
) -> None:
    _add(engine, "1.1")
    uri = f'milvus_uri = "http://127.0.0.1:{free_port}"'
    lines = ('engine = "milvus"', uri, "milvus_timeout_s = 0.5", 'milvus_token = "u:secret"')
    settings = _with_index(settings_file, *lines)
    for verb in (("verify",), ("reindex",), ("search", "1.1")):
        said = likeness(*verb, settings=settings).could_not()
        assert said.startswith(f"Milvus at 127.0.0.1:{free_port} does not answer")
        assert "index.milvus_uri" in said
        assert "secret" not in said


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['engine = "milvus"'], 'index.engine: "milvus" needs milvus_uri'),
        (['engine = "milvus"', 'milvus_uri = "a.db"'], "index.milvus_uri: is no address"),
        (['engine = "pgvector"', 'precision = "int8"'], '"fp32" or "fp16"'),
        (['engine = "pgvector"', 'precision = "fp16"'], 'store_search = "hnsw"'),
        (['engine = "hnsw"', 'device = "cuda"'], 'device = "cuda" goes with'),
        (["milvus_timeout_s = 0"], "index.milvus_timeout_s"),
    ],
)
def test_settings_that_do_not_fit_together_name_the_key(
    lines: list[str], said: str, likeness: Likeness, settings_file: Path
) -> None:
    token = 'milvus_token = "u:secret"'
    ran = likeness("verify", settings=_with_index(settings_file, token, *lines))
    assert ran.code == 1
    assert said in ran.err
    assert "secret" not in ran.err
