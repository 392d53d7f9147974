"""Waiting on a condition, never for a length of time."""

import threading
from collections.abc import Callable
from time import monotonic

LOOK_S = 0.05


def wait_until(
    condition: Callable[[], object], what: str | Callable[[], str], timeout_s: float = 60.0
) -> None:
    """Returns as soon as ``condition()`` is true; fails, saying ``what`` was awaited, if never.

    A message that tells of the state in which it failed is a function: it is made only then.
    """
    pause = threading.Event()
    give_up = monotonic() + timeout_s
    while not condition():
        assert monotonic() < give_up, (
            f"waited {timeout_s:g} s in vain: {what if isinstance(what, str) else what()}"
        )
        pause.wait(LOOK_S)
