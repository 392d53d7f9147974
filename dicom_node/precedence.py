"""Receiving goes first, where a site wants that: what may wait runs on idle cores only.

On two cores this makes receiving some 1.6 times as fast while studies are taken in and embedded;
the price is that answers wait while other programs keep all cores busy (docs/benchmarks.md,
"Receiving").
"""

import logging
import os
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


def step_back() -> None:
    """Puts the calling thread, and the processes and threads it starts, behind all others.

    By Linux's ``SCHED_IDLE``: unlike niceness it gives a core up at once when somebody else wakes.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # 0: the calling thread
    except OSError as fault:
        log.warning("receiving does not go first: the system refuses it (%s)", fault.strerror)


def behind(run: Callable[[threading.Event], None]) -> Callable[[threading.Event], None]:
    """``run``, behind all others."""

    def run_behind(stop: threading.Event) -> None:
        step_back()
        run(stop)

    return run_behind
