# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keeps requests from waiting for a node that does not answer, and from being too many at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

AWAY_S = 5.0
"""For how long a node counts as away after a failure, in seconds."""
_SLOW_IN_A_ROW = 2
_AT_ONCE = 12
_LINE = 24
"""Requests at once and in line together. Orthanc answers with 50 threads; the rest stay free."""
_LINE_S = 2.0


class AwayError(Exception):
    """The node did not answer a moment ago; why."""


class BusyError(Exception):
    """Too many requests are under way."""


class Breaker:
    """Lets a few requests through at a time, and none for a while after a failure."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self._inside = 0
        self._slow = 0
        self._away_until = 0.0
        self._reason = ""

    @contextmanager
    def slot(self) -> Iterator[None]:
        """A request's turn.

        Raises:
            AwayError: the node is away.
            BusyError: the line is too long, or did not move.
        """
        self._enter()
        try:
            if not self._slots.acquire(timeout=_LINE_S):
                raise BusyError
            try:
                self._refuse_if_away()  # it may have gone while this one waited
                yield
            finally:
                self._slots.release()
        finally:
            with self._lock:
                self._inside -= 1

    def _enter(self) -> None:
        self._refuse_if_away()
        with self._lock:
            if self._inside >= _LINE:
                raise BusyError
            self._inside += 1

    def _refuse_if_away(self) -> None:
        with self._lock:
            if self._clock() < self._away_until:
                raise AwayError(self._reason)

    def answered(self) -> None:
        """The node answered."""
        with self._lock:
            self._slow, self._away_until, self._reason = 0, 0.0, ""

    def unreachable(self, reason: str) -> None:
        """There was no connection: it is away."""
        with self._lock:
            self._away_until, self._reason = self._clock() + AWAY_S, reason

    def slow(self, reason: str) -> None:
        """It did not answer in time: twice in a row it is away."""
        with self._lock:
            self._slow += 1
            if self._slow >= _SLOW_IN_A_ROW:
                self._away_until, self._reason = self._clock() + AWAY_S, reason
