"""The database of a node: waited for where waiting helps, revived where it is ours."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from dicom_node.database import NodeDatabase, node_database, open_database
from dicom_node.rounds import StoppedWaitingError
from dicom_node.settings import Settings
from storage.embedded import EmbeddedServer
from storage.outages import OUTAGES, DatabaseError, UnreachableError
from storage.tables import Base
from tests.conftest import as_administrator
from tests.storage.servers import kill_server
from tests.waiting import wait_until


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds that wait for hundredths of seconds."""
    monkeypatch.setattr("dicom_node.rounds.WAIT_S", 0.01)


def _tables(database: NodeDatabase) -> set[str]:
    with database.engine.connect() as connection:
        rows = connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        )
        return set(rows.scalars())


@contextmanager
def _starting(settings: Settings) -> Iterator[list[NodeDatabase]]:
    """A node's start in a thread of its own; the list holds its database once it has it."""
    opened: list[NodeDatabase] = []
    stop = threading.Event()

    def start() -> None:
        with node_database(settings, stop) as database:
            opened.append(database)
            stop.wait(60)

    thread = threading.Thread(target=start)
    thread.start()
    try:
        yield opened
    finally:
        stop.set()
        thread.join()


def test_a_node_waits_for_a_server_that_comes_up_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, quick: None
) -> None:
    caplog.set_level(logging.INFO, "dicom_node.rounds")
    folder = tmp_path / "postgres"
    server = EmbeddedServer(folder)
    server.close()
    with _starting(Settings(database_url=server.url)) as opened:
        wait_until(lambda: caplog.messages, "the node to wait")
        again = EmbeddedServer(folder)
        wait_until(lambda: opened, "the node to have its database")
        assert set(Base.metadata.tables) <= _tables(opened[0])
    again.close()
    began, ended = caplog.messages
    assert began.startswith("the node waits for the database: database at postgresql+psycopg2://")
    assert "No such file or directory" in began
    assert ended == "the node goes on"


def test_a_node_that_is_to_stop_waits_no_longer(free_port: int) -> None:
    stop = threading.Event()
    stop.set()
    url = f"postgresql://likeness@127.0.0.1:{free_port}/likeness"
    with (
        pytest.raises(StoppedWaitingError, match="Connection refused"),
        node_database(Settings(database_url=url), stop),
    ):
        pass


def test_a_command_does_not_wait(free_port: int) -> None:
    url = f"postgresql://likeness@127.0.0.1:{free_port}/likeness"
    with (
        pytest.raises(UnreachableError, match="Connection refused"),
        open_database(Settings(database_url=url)),
    ):
        pass


def _ends(url: str, message: str) -> None:
    """A node's start ends at once, with this message."""
    with (
        pytest.raises(DatabaseError, match=message) as caught,
        node_database(Settings(database_url=url), threading.Event()),
    ):
        pass
    assert not isinstance(caught.value, UnreachableError)


def test_a_schema_of_a_newer_version_ends_the_start(engine: Engine, database_url: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    _ends(database_url, "made by a newer Likeness")


def test_a_role_that_may_make_no_tables_ends_the_start(postgres: str, bare_role: str) -> None:
    with as_administrator(postgres) as connection:
        connection.execute(text("CREATE DATABASE not_theirs"))
    url = f"{postgres}&user={bare_role}&dbname=not_theirs"
    _ends(url, "brought up to date: permission denied")


def _has_recovered(database: NodeDatabase) -> bool:
    """Until then it runs, and refuses connections."""
    try:
        return bool(_tables(database))
    except OUTAGES:
        return False


def test_our_own_server_is_revived_under_the_same_engine(tmp_path: Path) -> None:
    with node_database(Settings(data_folder=tmp_path), threading.Event()) as database:
        assert not database.revive_if_dead()
        kill_server(tmp_path / "postgres")
        wait_until(database.revive_if_dead, "the server to be revived", 30)
        wait_until(lambda: _has_recovered(database), "the server to recover", 30)
        assert set(Base.metadata.tables) <= _tables(database)
        assert database.url.startswith("postgresql+psycopg2://postgres@:5432/postgres?host=")


def test_a_sites_server_is_not_ours_to_revive(database_url: str) -> None:
    with node_database(Settings(database_url=database_url), threading.Event()) as database:
        assert not database.revive_if_dead()


def test_a_command_beside_a_node_leaves_it_its_server(tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path)
    with node_database(settings, threading.Event()) as database:
        with open_database(settings) as engine, engine.connect():
            pass
        assert not database.revive_if_dead()
        assert set(Base.metadata.tables) <= _tables(database)
    assert not (tmp_path / "postgres/postmaster.pid").exists()
