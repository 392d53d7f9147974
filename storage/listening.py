"""News of changed vectors: told by who writes them, heard by whoever keeps an index of them.

What is told may be missed while a connection is down, so that listeners look by themselves, too:
when they begin, after an outage, and from time to time.
"""

import logging
import select
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import psycopg2
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from storage.outages import OUTAGES, UnreachableError
from storage.vectors.metric import VectorError

log = logging.getLogger(__name__)

CHANNEL = "likeness_vectors"
PAUSE_S = 0.1
"""Between two looks at least: of a burst of changes many are taken in together."""
LOOK_S = 10.0
"""So often it is looked though nothing was told; that also notices a server that went away."""
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
"""Before a lost connection is made again: the first time, and after many failures."""


def notify_changed(connection: Connection, space_id: str) -> None:
    """Tells all who listen, once the transaction commits; said twice in one, it is told once."""
    connection.execute(
        text("SELECT pg_notify(:channel, :space)"), {"channel": CHANNEL, "space": space_id}
    )


class Listening:
    """Calls ``look`` in a thread of its own when vectors changed; a context manager.

    Args:
        engine: one connection is taken from it, and out of its pool.
        look: takes in what changed, by the connection that listens, in a transaction of its own.
            What it raises of ``OUTAGES`` or OSError counts as an outage: it is called again after
            a while.
        name: of the thread.
    """

    def __init__(self, engine: Engine, look: Callable[[Connection], None], name: str) -> None:
        self._engine = engine
        self._look = look
        self._stopping = threading.Event()
        self._failures = 0
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the thread, as soon as ``look`` returns if that is what it does."""
        self._stopping.set()
        self._wake.send(b"!")
        self._thread.join()
        self._wake.close()
        self._woken.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except (*OUTAGES, OSError, VectorError) as fault:
                if not self._failures:
                    said = str(fault).partition("\n")[0]
                    log.warning("changed vectors are not heard of at present: %s", said)
                self._stopping.wait(min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**self._failures))
                self._failures = min(self._failures + 1, 10)

    def _listen(self) -> None:
        """Listens and looks until told to stop, or until the connection is lost."""
        with self._engine.connect() as connection:
            connection.detach()  # taken from nobody who works, and closed for good
            with connection.begin():
                connection.execute(text(f"LISTEN {CHANNEL}"))
            driver = connection.connection.dbapi_connection
            if driver is None:
                raise UnreachableError("the listening connection is closed")
            while not self._stopping.is_set():
                with connection.begin():
                    self._look(connection)
                if self._failures:
                    log.info("changed vectors are heard of again")
                self._failures = 0
                self._stopping.wait(PAUSE_S)
                self._wait_for_news(driver)
                driver.notifies.clear()  # whatever they tell, the next look sees it

    def _wait_for_news(self, driver: Any) -> None:
        poll = select.poll()  # select.select knows no file descriptor above 1023
        poll.register(driver, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        _take_in(driver)  # what came with the end of a transaction: no poll tells of that
        if not driver.notifies:
            poll.poll(1000 * LOOK_S)
            _take_in(driver)


def _take_in(driver: Any) -> None:
    try:
        driver.poll()
    except psycopg2.Error as fault:
        raise UnreachableError(f"the listening connection is lost: {fault}") from fault
