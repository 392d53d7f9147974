"""Loops that wait out their database: what is logged, what is repeated, what ends them."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Row, text
from sqlalchemy.exc import DBAPIError

from dicom_node.queue_rounds import QueueRounds
from dicom_node.rounds import StoppedWaitingError, run_rounds, when_reached
from storage import studies
from storage.database import connect
from storage.outages import DatabaseError, UnreachableError
from storage.queue import JOBS
from tests.conftest import as_administrator
from tests.storage.made import NODE, received
from tests.storage.servers import kill_server, own_server, revive
from tests.waiting import wait_until


def _failing(*faults: Exception) -> Callable[[], str]:
    """A step that raises each fault once, and then returns."""
    left = list(faults)

    def step() -> str:
        if left:
            raise left.pop(0)
        return "reached"

    return step


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        (UnreachableError("the server is\nstarting up"), "database: the server is"),
        (OSError("read-only"), "disk: read-only"),
        (ChildProcessError("died"), "process that reads headers: died"),
    ],
)
def test_a_wait_is_told_once_when_it_begins_and_when_it_ends(
    fault: Exception, what: str, caplog: pytest.LogCaptureFixture, quick: None
) -> None:
    caplog.set_level(logging.INFO, "dicom_node.rounds")
    stop = threading.Event()
    run_rounds("part", [lambda: None, _first(fault, fault, fault)], stop.set, stop)
    assert caplog.messages == [f"part waits for the {what}", "part goes on"]


def _first(*faults: Exception) -> Callable[[], None]:
    step = _failing(*faults)

    def first() -> None:
        step()

    return first


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds that wait for hundredths of seconds."""
    monkeypatch.setattr("dicom_node.rounds.WAIT_S", 0.01)


def test_what_may_pass_is_waited_for(caplog: pytest.LogCaptureFixture, quick: None) -> None:
    caplog.set_level(logging.INFO, "dicom_node.rounds")
    attempt = _failing(UnreachableError("refused"), UnreachableError("starting up"))
    assert when_reached("the node", attempt, threading.Event()) == "reached"
    assert caplog.messages == ["the node waits for the database: refused", "the node goes on"]


def test_what_somebody_must_set_right_is_not_waited_for() -> None:
    with pytest.raises(DatabaseError, match="wrong password"):
        when_reached("the node", _failing(DatabaseError("wrong password")), threading.Event())


def test_a_wait_ends_when_the_node_is_to_stop() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedWaitingError, match="refused"):
        when_reached("the node", _failing(UnreachableError("refused")), stop)


def test_after_a_restart_of_the_server_a_thread_fails_at_most_once_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, quick: None
) -> None:
    """Four threads, each with a connection in the pool that is dead by then."""
    stop, back = threading.Event(), threading.Event()
    together = threading.Barrier(4)
    done, failed_since = [0] * 4, [0] * 4
    with own_server(tmp_path / "data") as server:
        engine = connect(server.url)

        def round_of(number: int) -> None:
            try:
                with engine.begin() as connection:
                    if not done[number]:
                        together.wait(30)  # so that each has a connection of its own
                    connection.execute(text("SELECT pg_sleep(0.01)"))
            except DBAPIError:
                failed_since[number] += back.is_set()
                raise
            done[number] += 1

        threads = [
            threading.Thread(
                target=run_rounds, args=(f"part {number}", [], lambda n=number: round_of(n), stop)
            )
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: all(done), "all to work")
        kill_server(tmp_path / "data")
        revive(server)
        back.set()
        before = list(done)
        wait_until(lambda: all(n > b for n, b in zip(done, before, strict=True)), "all to go on")
        stop.set()
        for thread in threads:
            thread.join()
        engine.dispose()
    assert max(failed_since) <= 1
    waits = [message for message in caplog.messages if "waits for the database" in message]
    assert len(waits) <= 4


def _queue_job(engine: Engine, study: str = "1.2.3") -> None:
    with engine.begin() as connection:
        studies.record(connection, received(study, f"{study}.1.1"), received_by=NODE)
        studies.close_now(connection, study)


def _end_other_sessions(engine: Engine) -> None:
    with as_administrator(engine.url.render_as_string(False)) as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


def _claim(engine: Engine) -> Row[*tuple[Any, ...]] | None:
    with engine.begin() as connection:
        return JOBS.claim(connection, node=NODE, lease_s=3600)


def test_a_try_that_the_database_ended_does_not_count(engine: Engine, quick: None) -> None:
    """Its connections are ended in the midst of it, five times: it is still the first try."""
    _queue_job(engine)
    stop = threading.Event()
    attempts: list[int] = []

    def work_next() -> bool:
        job = _claim(engine)
        if job is None:
            return False
        attempts.append(job.attempts)
        with engine.begin() as connection:
            if len(attempts) <= 5:
                _end_other_sessions(engine)
            JOBS.done(connection, job.id)
        stop.set()
        return True

    QueueRounds(engine, JOBS, node=NODE, work_next=work_next).run("worker", stop)
    assert attempts == [1] * 6
    with engine.connect() as connection:
        assert JOBS.count_by_state(connection) == {"done": 1}


def test_a_try_that_the_disk_ended_does_not_count_and_does_not_wait_for_its_lease(
    engine: Engine, quick: None
) -> None:
    _queue_job(engine)
    stop = threading.Event()
    attempts: list[int] = []

    def work_next() -> bool:
        job = _claim(engine)
        if job is None:
            return False
        attempts.append(job.attempts)
        if len(attempts) == 1:
            raise OSError("No space left on device")
        stop.set()
        return True

    QueueRounds(engine, JOBS, node=NODE, work_next=work_next).run("worker", stop)
    assert attempts == [1, 1]


def test_a_try_of_a_worker_that_died_counts(engine: Engine) -> None:
    """Perhaps the study killed it."""
    _queue_job(engine)
    with engine.begin() as connection:
        assert JOBS.claim(connection, node=NODE, lease_s=3600) is not None
    stop = threading.Event()
    attempts: list[int] = []

    def work_next() -> bool:
        with engine.begin() as connection:
            job = JOBS.claim(connection, node=NODE, lease_s=3600)
        assert job is not None
        attempts.append(job.attempts)
        stop.set()
        return True

    QueueRounds(engine, JOBS, node=NODE, work_next=work_next).run("worker", stop)
    assert attempts == [2]
