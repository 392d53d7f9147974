"""Claims, leases, retries and the dead letter."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from storage import studies
from storage.database import Listener
from storage.queue import JOBS, SENDS, SUSPECT, RetryRule
from tests.storage.made import NODE, queue_report, received


def _queue_studies(connection: Connection, count: int) -> None:
    for number in range(1, count + 1):
        uid = f"1.2.{number}"
        studies.record(connection, received(uid, f"{uid}.1.1"), received_by=NODE)
        studies.close_now(connection, uid)


def _run_out_leases(connection: Connection) -> None:
    connection.execute(text("UPDATE jobs SET lease_until = now() - interval '1 s'"))


def test_two_workers_never_claim_one_job(engine: Engine) -> None:
    with engine.begin() as connection:
        _queue_studies(connection, 2)
    with engine.begin() as first, engine.begin() as second:
        one = JOBS.claim(first, node=NODE, lease_s=60)
        other = JOBS.claim(second, node=NODE, lease_s=60)
        assert one is not None
        assert other is not None
        assert one.id != other.id
    with engine.begin() as third:
        assert JOBS.claim(third, node=NODE, lease_s=60) is None


def test_a_lease_that_ran_out_is_claimed_again(engine: Engine) -> None:
    with engine.begin() as connection:
        _queue_studies(connection, 1)
        first = JOBS.claim(connection, node=NODE, lease_s=60)
        assert JOBS.claim(connection, node=NODE, lease_s=60) is None
        _run_out_leases(connection)
        second = JOBS.claim(connection, node=NODE, lease_s=60)
        assert first is not None
        assert second is not None
        assert (second.id, second.attempts) == (first.id, 2)


def test_what_a_dead_worker_held_is_released(engine: Engine) -> None:
    with engine.begin() as connection:
        _queue_studies(connection, 1)
        JOBS.claim(connection, node=NODE, lease_s=3600)
        assert JOBS.release(connection, node="another node") == 0
        assert JOBS.release(connection, node=NODE) == 1
        assert JOBS.claim(connection, node=NODE, lease_s=60) is not None


@pytest.mark.parametrize(
    ("held", "died", "attempts", "reason"),
    [
        (1, True, 1, SUSPECT),  # it was alone, so perhaps it killed the worker
        (3, True, 0, SUSPECT),  # one of three did, and nobody knows which
        (1, False, 0, None),
        (3, False, 0, None),
    ],
)
def test_a_try_counts_only_of_a_job_that_was_alone_when_its_worker_died(
    engine: Engine, held: int, died: bool, attempts: int, reason: str | None
) -> None:
    with engine.begin() as connection:
        _queue_studies(connection, held)
        assert len(JOBS.claim_several(connection, node=NODE, lease_s=60, most=9)) == held
        assert JOBS.release(connection, node=NODE, died=died) == held
        rows = connection.execute(text("SELECT state, attempts, reason FROM jobs")).all()
    assert {tuple(row) for row in rows} == {("queued", attempts, reason)}


def test_a_send_is_no_suspect(engine: Engine) -> None:
    """They are sent one by one: the try of each counts, and its reason stands."""
    with engine.begin() as connection:
        for number in range(2):
            queue_report(connection, f"1.{number}", b"", peer=f"p{number}")
        connection.execute(text("UPDATE sends SET reason = 'refused'"))
        assert len(SENDS.claim_several(connection, node=NODE, lease_s=60, most=9)) == 2
        SENDS.release(connection, node=NODE)
        rows = connection.execute(text("SELECT attempts, reason FROM sends")).all()
    assert {tuple(row) for row in rows} == {(1, "refused")}


def test_several_are_claimed_at_once_those_first_that_waited_longest(engine: Engine) -> None:
    with engine.begin() as connection:
        _queue_studies(connection, 5)
        connection.execute(text("UPDATE jobs SET run_after = now() - interval '1 h' WHERE id = 4"))
    with engine.begin() as first, engine.begin() as second:
        one = JOBS.claim_several(first, node=NODE, lease_s=60, most=3)
        other = JOBS.claim_several(second, node=NODE, lease_s=60, most=3)
    assert [row.id for row in one] == [4, 1, 2]
    assert [row.id for row in other] == [3, 5]


def test_tries_are_bounded_and_wait_longer_each_time(engine: Engine) -> None:
    rule = RetryRule(attempts=2, first_wait_s=0)
    with engine.begin() as connection:
        _queue_studies(connection, 1)
    with engine.begin() as connection:
        first = JOBS.claim(connection, node=NODE, lease_s=60)
        assert first is not None
        assert JOBS.again(connection, first, "first fault", rule)
    with engine.begin() as connection:
        second = JOBS.claim(connection, node=NODE, lease_s=60)
        assert second is not None
        assert not JOBS.again(connection, second, "second fault", rule)
        assert JOBS.count_by_state(connection) == {"failed": 1}


@pytest.mark.parametrize(
    ("attempts", "expected"), [(1, 5.0), (2, 10.0), (3, 20.0), (30, 3600.0), (1100, 3600.0)]
)
def test_the_wait_doubles_up_to_an_hour(attempts: int, expected: float) -> None:
    assert RetryRule(attempts=40, first_wait_s=5.0).wait_s(attempts) == expected


def test_without_a_first_wait_there_is_none_however_often_it_is_tried() -> None:
    assert RetryRule(attempts=5000, first_wait_s=0.0).wait_s(4999) == 0.0


def test_a_listener_wakes_when_work_is_queued(engine: Engine) -> None:
    with Listener(engine, JOBS.topic) as wake:
        assert not wake.wait(0)
        with engine.begin() as connection:
            _queue_studies(connection, 1)
        assert wake.wait(10)
