"""Has senders wait while too many studies do."""

import threading
from typing import Protocol

from sqlalchemy import Engine

from dicom_node.rounds import run_rounds
from storage.queue import JOBS

LOOK_S = 2.0


class Flag(Protocol):
    """Raised while the queue is full; shared with the receiving process."""

    def set(self) -> None:
        """The queue is full."""

    def clear(self) -> None:
        """It is not."""


class QueueWatch:
    """Looks every two seconds how many of this node's studies wait for the worker.

    While the database is away the flag stays as it was: what arrives is kept by the spool, and
    the watermark on its disk holds.
    """

    def __init__(self, engine: Engine, full: Flag, *, node: str, most: int) -> None:
        self._engine = engine
        self._full = full
        self._node = node
        self._most = most

    def run(self, stop: threading.Event) -> None:
        """Looks until told to stop."""

        def look() -> None:
            self.look()
            stop.wait(LOOK_S)

        run_rounds("queue watch", [], look, stop)

    def look(self) -> None:
        """Raises or lowers the flag."""
        with self._engine.connect() as connection:
            waiting = JOBS.count_waiting(connection, node=self._node)
        if waiting >= self._most:
            self._full.set()
        elif waiting < 0.9 * self._most:  # between the two it stays, so that it does not flutter
            self._full.clear()
