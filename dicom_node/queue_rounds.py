"""Works a queue in the database until told to stop: woken by NOTIFY, and through its outages."""

import threading
from collections.abc import Callable

from sqlalchemy import Engine

from dicom_node.rounds import run_rounds
from storage.database import Listener
from storage.outages import OUTAGES
from storage.queue import Queue

LONGEST_WAIT_S = 1.0
"""So that a node that is told to stop does so within about a second."""


def _nothing() -> None:
    """What most queues do while idle."""


class QueueRounds:
    """One node's work on one queue.

    ``work_next`` claims and works one row, and says whether there was one; ``idle`` is called
    each time that a wait ends without news, ``giving_back`` before rows are given back: none that
    was claimed before may be written to any more.
    """

    def __init__(
        self,
        engine: Engine,
        queue: Queue,
        *,
        node: str,
        work_next: Callable[[], bool],
        idle: Callable[[], None] = _nothing,
        giving_back: Callable[[], None] = _nothing,
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._node = node
        self._work_next = work_next
        self._idle = idle
        self._giving_back = giving_back
        self._wake: Listener | None = None
        self._began = False

    def run(self, name: str, stop: threading.Event) -> None:
        """Works under ``name`` (in the log) until told to stop."""
        try:
            run_rounds(name, [], self._round, stop)
        finally:
            self._stop_listening()

    def _round(self) -> None:
        try:
            if self._wake is None:
                self._give_back()
                self._wake = Listener(self._engine, self._queue.topic)
            if not self._work_next() and not self._wake.wait(LONGEST_WAIT_S):
                self._idle()
        except (*OUTAGES, OSError):  # all that run_rounds waits out
            self._stop_listening()
            raise

    def _give_back(self) -> None:
        """What this node had claimed before it, the database or a disk went away is done again."""
        self._giving_back()
        with self._engine.begin() as connection:
            # If we live, the try ended by the fault of one of them, and does not count.
            self._queue.release(connection, node=self._node, died=not self._began)
        self._began = True

    def _stop_listening(self) -> None:
        if self._wake is not None:
            self._wake.close()
            self._wake = None
