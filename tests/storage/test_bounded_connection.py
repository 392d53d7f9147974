"""No wait on a database is endless: silent doors, stopped processes, cut lines, locks."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DataError, OperationalError

from storage import bounded_connection
from storage.bounded_connection import Limits
from storage.database import Listener, connect
from storage.outages import UnreachableError, is_outage, refusal
from tests.storage.servers import line_to, own_server, postmaster_pid

SHORT = Limits(statement_s=0.2, lock_s=0.1)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds of tenths of seconds, to see them at work."""
    monkeypatch.setattr(bounded_connection, "CONNECT_S", 0.3)
    monkeypatch.setattr(bounded_connection, "_SLACK_S", 0.3)


@pytest.fixture
def bounded(database_url: str, soon: None) -> Iterator[Engine]:
    """An engine with bounds of tenths of seconds."""
    engine = connect(database_url, SHORT)
    yield engine
    engine.dispose()


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    """SIGSTOP: its kernel still takes our bytes, and nobody reads them."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_door_that_never_answers_is_unreachable(soon: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        with pytest.raises(UnreachableError, match=r"silent for 0\.3 s"):
            connect(f"postgresql://likeness@127.0.0.1:{port}/likeness")


def test_behind_a_door_that_never_answers_another_host_is_found(postgres: str, soon: None) -> None:
    """Of two hosts in a URL either may come first, so some try finds the living one."""
    with socket.create_server(("127.0.0.1", 0)) as door, line_to(postgres) as line:
        dead, living = door.getsockname()[1], line.url.split(":")[-1].split("/")[0]
        url = f"postgresql://postgres@/postgres?host=127.0.0.1:{dead}&host=127.0.0.1:{living}"
        assert any(_connects(url) for _ in range(40))


def _connects(url: str) -> bool:
    try:
        connect(url, SHORT).dispose()
    except UnreachableError:
        return False
    return True


def test_a_stopped_server_process_is_an_outage(bounded: Engine) -> None:
    with bounded.connect() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with _stopped(pid), pytest.raises(OperationalError, match=r"silent for 0\.5 s") as caught:
            connection.execute(text("SELECT 1"))
    assert is_outage(caught.value)
    with bounded.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1


def test_a_commit_to_a_stopped_server_process_is_an_outage(bounded: Engine) -> None:
    with bounded.connect() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with _stopped(pid), pytest.raises(OperationalError, match="silent") as caught:
            connection.commit()
    assert is_outage(caught.value)


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
def test_what_the_driver_cannot_write_is_refused_as_data(bounded: Engine, value: str) -> None:
    """psycopg2 raises a plain ValueError there, which no caller expects of a database."""
    for parameters in ({"value": value}, [{"value": "good"}, {"value": value}]):
        with bounded.connect() as connection, pytest.raises(DataError) as caught:
            connection.execute(text("SELECT CAST(:value AS text)"), parameters)
        assert not is_outage(caught.value)
        assert refusal(caught.value).startswith("refused by the database: ")


def test_a_stopped_postmaster_lets_nobody_in(tmp_path: Path, soon: None) -> None:
    folder = tmp_path / "data"
    with own_server(folder) as server:
        with _stopped(postmaster_pid(folder)), pytest.raises(UnreachableError, match="silent"):
            connect(server.url, SHORT)
        connect(server.url, SHORT).dispose()


def test_a_line_that_went_dead_is_an_outage_and_replaced(postgres: str, soon: None) -> None:
    with line_to(postgres) as line:
        engine = connect(line.url, SHORT)
        line.silent.set()
        with pytest.raises(OperationalError, match="silent"), engine.connect():
            pass
        line.silent.clear()
        with engine.connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar_one() == 1
        engine.dispose()


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (socket.TCP_USER_TIMEOUT, 10_000),
        (socket.TCP_KEEPIDLE, 10),
        (socket.TCP_KEEPINTVL, 5),
        (socket.TCP_KEEPCNT, 3),
    ],
)
def test_tcp_notices_a_vanished_host(postgres: str, option: int, expected: int) -> None:
    """The longest: 10 s of idleness and three probes of 5 s."""
    with line_to(postgres) as line:
        engine = connect(line.url)
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            with socket.socket(fileno=os.dup(driver.fileno())) as ours:
                assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
                assert ours.getsockopt(socket.IPPROTO_TCP, option) == expected
        engine.dispose()


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("statement_timeout", "200ms"),
        ("lock_timeout", "100ms"),
        ("idle_in_transaction_session_timeout", "10min"),
        ("synchronous_commit", "on"),
    ],
)
def test_a_session_keeps_its_settings_through_a_rollback(
    bounded: Engine, setting: str, expected: str
) -> None:
    """The test server has synchronous_commit off: a commit that we saw must be on disk."""
    with bounded.connect() as connection:
        connection.rollback()
        assert connection.execute(text(f"SHOW {setting}")).scalar_one() == expected


def test_the_server_watches_for_our_vanishing(postgres: str) -> None:
    with line_to(postgres) as line:
        engine = connect(line.url)
        with engine.connect() as connection:
            shown = connection.execute(text("SHOW tcp_keepalives_count")).scalar_one()
        engine.dispose()
    assert shown in {"3", "0"}  # 0: the line ends at a Unix socket, where nothing can vanish


def test_a_statement_and_a_lock_take_no_longer_than_they_may(bounded: Engine) -> None:
    with pytest.raises(OperationalError, match="statement timeout"), bounded.begin() as one:
        one.execute(text("SELECT pg_sleep(60)"))
    lock = text("SELECT pg_advisory_xact_lock(1)")
    with bounded.begin() as holder, bounded.connect() as other:
        holder.execute(lock)
        with pytest.raises(OperationalError, match="lock timeout") as caught:
            other.execute(lock)
    assert is_outage(caught.value)


def test_a_wait_for_notifications_ends_with_its_server_process(bounded: Engine) -> None:
    with Listener(bounded, "topic") as wake:
        with bounded.begin() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        with pytest.raises(UnreachableError, match="waiting for work"):
            wake.wait(10)


def test_what_the_url_says_stands(postgres: str) -> None:
    engine = connect(f"{postgres}&application_name=site")
    with engine.connect() as connection:
        assert connection.execute(text("SHOW application_name")).scalar_one() == "site"
    engine.dispose()
