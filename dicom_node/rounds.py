"""A loop that works until told to stop, and waits out a database or a disk that does not answer."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from storage.outages import OUTAGES, DatabaseError, StoreError, UnreachableError, may_pass

log = logging.getLogger(__name__)

WAIT_S = 1.0

Reached = TypeVar("Reached")


class StoppedWaitingError(DatabaseError):
    """The node was told to stop before its database answered."""


def run_rounds(
    name: str,
    first: Sequence[Callable[[], None]],
    each: Callable[[], None],
    stop: threading.Event,
) -> None:
    """Does each of ``first`` once, then ``each`` again and again until ``stop`` is set.

    While the database does not answer, the disk refuses or a child process cannot run, the step
    at hand is repeated every second; a line is logged when that begins and when it ends.
    """
    steps = list(first)
    waiting = _Waiting(name)
    while not stop.is_set():
        try:
            step = steps[0] if steps else each
            step()
            del steps[:1]
        except (*OUTAGES, OSError) as fault:
            waiting.begins(fault)
            stop.wait(WAIT_S)
        else:
            waiting.ends()


def when_reached(name: str, attempt: Callable[[], Reached], stop: threading.Event) -> Reached:
    """What ``attempt`` returns, once the database answers: for the start of a node or worker.

    ``attempt`` is repeated every second as long as waiting may help; a line is logged when that
    begins and when it ends.

    Raises:
        StoppedWaitingError: ``stop`` was set before.
        DatabaseError, DBAPIError: somebody must set something right: the URL, a right, a version.
    """
    waiting = _Waiting(name)
    while True:
        try:
            reached = attempt()
        except OUTAGES as fault:
            if not _may_pass(fault):
                raise
            waiting.begins(fault)
            if stop.wait(WAIT_S):
                raise StoppedWaitingError(f"stopped while {name} waited: {fault}") from fault
        else:
            waiting.ends()
            return reached


def _may_pass(fault: Exception) -> bool:
    if isinstance(fault, DatabaseError):
        return isinstance(fault, UnreachableError)
    return not isinstance(fault, DBAPIError) or may_pass(fault)


class _Waiting:
    """Says once that something waits, and once that it goes on."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._away = False

    def begins(self, fault: Exception) -> None:
        if not self._away:
            what = str(fault).splitlines()[0]
            log.error("%s waits for the %s: %s", self._name, _what(fault), what)
        self._away = True

    def ends(self) -> None:
        if self._away:
            log.info("%s goes on", self._name)
        self._away = False


def _what(fault: Exception) -> str:
    if isinstance(fault, ChildProcessError):
        return "process that reads headers"
    if isinstance(fault, StoreError):
        return "store of vectors"
    return "disk" if isinstance(fault, OSError) else "database"
