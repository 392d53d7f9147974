"""The server that the node brings along: killed, revived, shared, and as durable as PostgreSQL."""

import logging
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from storage.database import connect
from storage.embedded import EmbeddedServer
from storage.outages import DatabaseError, UnreachableError
from storage.postmaster import LONGEST_SOCKET_PATH
from tests.storage.servers import kill_server, own_server, postmaster_pid, revive
from tests.waiting import wait_until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the data of ``server`` lie."""
    return tmp_path / "data"


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedServer]:
    """A server to kill."""
    with own_server(folder) as started:
        yield started


def _answer(url: str) -> object:
    engine = connect(url)
    try:
        with engine.connect() as connection:
            return connection.execute(text("SELECT 42")).scalar_one()
    finally:
        engine.dispose()


def test_a_killed_server_is_revived_with_what_was_committed(
    server: EmbeddedServer, folder: Path
) -> None:
    engine = connect(server.url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept AS SELECT 7 AS number"))
    assert not server.revive_if_dead()
    kill_server(folder)
    revive(server)
    assert not server.revive_if_dead()
    with engine.connect() as connection:  # the same engine and URL; its dead connection is replaced
        assert connection.execute(text("SELECT number FROM kept")).scalar_one() == 7
    engine.dispose()


def test_a_number_that_another_process_has_by_now_is_no_server(
    server: EmbeddedServer, folder: Path
) -> None:
    _record_other_process(folder, os.getpid())
    revive(server)
    assert postmaster_pid(folder) != os.getpid()
    assert _answer(server.url) == 42


def test_a_dead_process_that_nobody_waited_for_is_no_server(
    server: EmbeddedServer, folder: Path
) -> None:
    """As in a container whose first process is the node and reaps nothing."""
    with subprocess.Popen(["true"]) as unreaped:
        os.waitid(os.P_PID, unreaped.pid, os.WEXITED | os.WNOWAIT)
        _record_other_process(folder, unreaped.pid)
        revive(server)
    assert _answer(server.url) == 42


def _record_other_process(folder: Path, pid: int) -> None:
    kill_server(folder)
    for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
        path = folder / name
        _, *rest = path.read_text().splitlines(keepends=True)
        path.write_text("".join([f"{pid}\n", *rest]))


def test_of_two_that_revive_together_one_does(server: EmbeddedServer, folder: Path) -> None:
    other = EmbeddedServer(folder)
    kill_server(folder)
    revived: list[EmbeddedServer] = []
    both, pause = threading.Barrier(2), threading.Event()

    def look(user: EmbeddedServer) -> None:
        both.wait()
        while not revived:
            if user.revive_if_dead():
                revived.append(user)
            pause.wait(0.02)

    threads = [threading.Thread(target=look, args=(user,)) for user in (server, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(revived) == 1
    assert other.url == server.url
    assert _answer(server.url) == 42
    other.close()


def test_only_the_last_user_stops_the_server(server: EmbeddedServer, folder: Path) -> None:
    other = EmbeddedServer(folder)
    pid = postmaster_pid(folder)
    other.close()
    assert postmaster_pid(folder) == pid
    assert _answer(server.url) == 42
    server.close()
    assert not (folder / "postmaster.pid").exists()
    server.__init__(folder)  # type: ignore[misc]  # for the fixture to close


def test_a_server_that_cannot_start_is_told_once_and_tried_again(
    server: EmbeddedServer, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "storage.embedded")
    control, away = folder / "global/pg_control", folder / "global/pg_control.away"
    kill_server(folder)
    control.rename(away)
    wait_until(lambda: server.revive_if_dead() or len(caplog.messages) == 2, "to be told")
    assert not server.revive_if_dead()
    away.rename(control)
    revive(server)
    died, not_started, runs = caplog.messages
    assert died.endswith("died; it is started again")
    assert "did not start: " in not_started
    assert "pg_control" in not_started
    assert runs.endswith("runs again")


def test_a_start_that_fails_is_unreachable_and_frees_the_folder(folder: Path) -> None:
    EmbeddedServer(folder).close()
    control, away = folder / "global/pg_control", folder / "global/pg_control.away"
    control.rename(away)
    with pytest.raises(UnreachableError, match=r"did not start: .*pg_control"):
        EmbeddedServer(folder)
    away.rename(control)
    with own_server(folder) as started:
        assert _answer(started.url) == 42


def test_data_of_another_version_are_told(folder: Path) -> None:
    folder.mkdir()
    (folder / "PG_VERSION").write_text("9\n")
    with pytest.raises(DatabaseError, match="Version mismatch"):
        EmbeddedServer(folder)


def test_a_recovery_that_takes_long_is_waited_for_by_connections_only(
    server: EmbeddedServer, folder: Path
) -> None:
    """Replay waits for a file that the test removes: PostgreSQL 18, 26.3.4, restore_command."""
    hold = folder / "hold"
    hold.touch()
    (folder / "recovery.signal").touch()
    with (folder / "postgresql.auto.conf").open("a") as settings:
        settings.write(f"restore_command = 'while test -e {hold}; do sleep 0.05; done; false'\n")
    kill_server(folder)
    revive(server)
    with pytest.raises(UnreachableError, match=r"starting up|not yet accepting"):
        connect(server.url)
    assert not server.revive_if_dead()
    hold.unlink()
    wait_until(lambda: _answers(server.url), "the recovery to end")


def _answers(url: str) -> bool:
    try:
        return _answer(url) == 42
    except UnreachableError:
        return False


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
    ],
)
def test_the_server_is_durable_and_for_this_machine_only(
    settings_of_server: dict[str, str], setting: str, value: str
) -> None:
    assert settings_of_server[setting] == value


@pytest.fixture(scope="module")
def settings_of_server(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of a fresh server, as it says itself."""
    with own_server(tmp_path_factory.mktemp("durable") / "data") as server:
        engine = connect(server.url)
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT name, setting FROM pg_settings")).all()
        engine.dispose()
    return {row.name: row.setting for row in rows}


def test_the_servers_log_names_no_patient(server: EmbeddedServer, folder: Path) -> None:
    engine = connect(server.url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE patients (name text PRIMARY KEY)"))
        connection.execute(text("INSERT INTO patients VALUES ('Doe^Jane')"))
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text("INSERT INTO patients VALUES ('Doe^Jane')"))
    engine.dispose()
    log = (folder / "log").read_text()
    assert "duplicate key" in log
    assert "Doe" not in log


def test_what_a_killed_first_start_left_is_swept(tmp_path: Path) -> None:
    left = tmp_path / "data.new-0badcafe"
    left.mkdir()
    (left / "PG_VERSION").write_text("18\n")
    with own_server(tmp_path / "data") as server:
        assert _answer(server.url) == 42
    assert not left.exists()


def test_a_long_path_moves_the_socket_where_only_we_enter(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 20) / ("a folder with spaces " * 3).strip() / "data"
    assert len(str(folder)) > LONGEST_SOCKET_PATH
    with own_server(folder) as server:
        socket_folder = Path(str((folder / "postmaster.pid").read_text().splitlines()[4]))
        assert socket_folder != folder
        assert socket_folder.stat().st_mode & 0o077 == 0
        kill_server(folder)
        revive(server)
        assert _answer(server.url) == 42
    socket_folder.rmdir()
