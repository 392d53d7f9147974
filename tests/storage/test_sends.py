"""Sends given up, and asked for once more by two people at a time."""

import threading

from sqlalchemy import Engine, text

from storage import sends
from storage.queue import SENDS
from tests.storage.made import NODE, queue_report
from tests.waiting import wait_until


def _given_up(engine: Engine) -> None:
    with engine.begin() as connection:
        queue_report(connection, "1.2.3", b"report")
        connection.execute(text("UPDATE sends SET state = 'failed', attempts = 12"))


def _somebody_waits(engine: Engine) -> bool:
    with engine.connect() as connection:
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(connection.execute(waiting).scalar_one())


def test_what_another_has_queued_meanwhile_is_left_alone(engine: Engine) -> None:
    """It is on its way already when the second gets at it: queued once more, it would go twice."""
    _given_up(engine)
    queued: list[int] = []

    def retry() -> None:
        with engine.begin() as connection:
            queued.append(sends.retry(connection, "1.2.3"))

    second = threading.Thread(target=retry)
    with engine.begin() as connection:
        assert sends.retry(connection, None) == 1
        assert SENDS.claim(connection, node=NODE, lease_s=60) is not None
        second.start()
        wait_until(lambda: _somebody_waits(engine), "the second to wait for the row")
    second.join()
    assert queued == [0]
    with engine.connect() as connection:
        assert SENDS.count_by_state(connection) == {"running": 1}
