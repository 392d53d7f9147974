"""The thread that runs the changeover's process, and only while a space is wanted."""

import logging
import threading
from time import monotonic

from sqlalchemy import Engine

from dicom_node.changeover import process
from dicom_node.changeover.left_behind import with_way_out
from dicom_node.changeover.progress import waiting_reason
from dicom_node.child_process import ChildProcess, StartError
from dicom_node.rounds import run_rounds
from dicom_node.settings import Settings
from storage import spaces

log = logging.getLogger(__name__)

LOOK_S = 1.0
RESTART_S = 5.0
"""Between two starts of the process at least: one that dies each time must not eat the host up."""


class ChangeoverWatch:
    """Looks each second whether a space is wanted, and what the worker waits for.

    Attributes:
        waiting: why the worker waits; None if it does not.
    """

    def __init__(self, engine: Engine, settings: Settings, database_url: str, *, node: str) -> None:
        self.waiting: str | None = None
        self._engine = engine
        self._arguments = (settings, database_url)
        self._node = node
        self._child: ChildProcess | None = None
        self._start_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Watches until told to stop."""

        def round_() -> None:
            self.look()
            stop.wait(LOOK_S)

        try:
            run_rounds("changeover", [], round_, stop)
        finally:
            self._let_go()

    def look(self) -> None:
        """Starts the process, starts it again, or forgets it when it has ended."""
        with self._engine.connect() as connection:
            used, wanted = spaces.known_in_use(connection), spaces.wanted(connection)
        waiting = waiting_reason(used, self._node)
        self.waiting = None if waiting is None else with_way_out(waiting, wanted)
        is_alive = self._child is not None and self._child.is_alive
        if used is None or wanted is None or wanted.id == used.id:
            if not is_alive:
                self._let_go()
            return
        if not is_alive and monotonic() >= self._start_at:
            self._start_at = monotonic() + RESTART_S
            self._start()

    def _start(self) -> None:
        if self._child is not None:
            self._child.restart_if_dead()
            return
        child = ChildProcess("changeover", process.main, lambda: self._arguments)
        try:
            child.__enter__()
        except StartError as fault:
            log.error("the changeover did not start: %s", fault)
        else:
            self._child = child

    def _let_go(self) -> None:
        if self._child is not None:
            self._child.__exit__()
            self._child = None
