"""A loop that works until told to stop, and waits out a database or a disk that does not answer."""

import logging
import threading
from collections.abc import Callable, Sequence

from sqlalchemy.exc import DBAPIError

from storage.database import DatabaseError

log = logging.getLogger(__name__)

WAIT_S = 1.0


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
    away = False
    while not stop.is_set():
        try:
            step = steps[0] if steps else each
            step()
            del steps[:1]
        except (DBAPIError, DatabaseError, OSError) as fault:
            if not away:
                log.error("%s waits for the %s: %s", name, _what(fault), str(fault).splitlines()[0])
            away = True
            stop.wait(WAIT_S)
        else:
            if away:
                log.info("%s goes on", name)
            away = False


def _what(fault: Exception) -> str:
    if isinstance(fault, ChildProcessError):
        return "process that reads headers"
    return "disk" if isinstance(fault, OSError) else "database"
