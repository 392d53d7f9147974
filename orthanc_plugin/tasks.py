# SPDX-License-Identifier: AGPL-3.0-or-later
"""The studies that are to be looked at, in their order: new ones first, those of the sweep last."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from orthanc_plugin.inbox import Note

WAITING, SENDING, FAILED = "waiting", "sending", "failed"


@dataclass
class Task:
    """A study by Orthanc's identifier.

    Attributes:
        notes: what is to be ticked off in the inbox when it was dealt with.
        swept: it was found by the sweep.
        forced: it is sent even if it was before.
        state: ``WAITING``, ``SENDING``, or ``FAILED`` and to be tried again.
        tries: how often the node did not take all of it.
        due: when it is to be tried again, by the monotonic clock.
        said: why it failed, or why sending it does not get on.
        again: it became stable once more while it was being sent.
    """

    study: str
    notes: list[Note] = field(default_factory=list)
    swept: bool = False
    forced: bool = False
    state: str = WAITING
    tries: int = 0
    due: float = 0.0
    said: str = ""
    again: bool = False


class Tasks:
    """One task for each study at most; all methods may be called in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, Task] = {}
        self._fresh: deque[Task] = deque()
        self._swept: deque[Task] = deque()

    def add(
        self, study: str, *, note: Note | None = None, swept: bool = False, forced: bool = False
    ) -> None:
        """Adds a study; one that failed is due at once, one that is being sent is due again."""
        with self._lock:
            task = self._known.get(study)
            if task is None:
                task = self._known[study] = Task(study, swept=swept)
                (self._swept if swept else self._fresh).append(task)
            elif not swept:
                self._hasten(task)
            task.forced |= forced
            task.notes += [note] if note else []

    def _hasten(self, task: Task) -> None:
        if task.state == SENDING:
            task.again = True
        else:
            task.due = 0.0
        if task in self._swept:
            self._swept.remove(task)
            self._fresh.append(task)
            task.swept = False

    def next(self, now: float) -> Task | None:
        """The first that is due; it counts as being sent until it is done or put back."""
        with self._lock:
            for waiting in (self._fresh, self._swept):
                task = next((task for task in waiting if task.due <= now), None)
                if task is not None:
                    waiting.remove(task)
                    task.state, task.said = SENDING, ""
                    return task
            return None

    def put_back(self, task: Task) -> None:
        """The study is the next one."""
        with self._lock:
            if self._is_being_sent(task):
                task.state = WAITING
                self._fresh.appendleft(task)

    def retry(self, task: Task, due: float, said: str) -> None:
        """The study is tried again when it is due, and others before."""
        with self._lock:
            if self._is_being_sent(task):
                task.state, task.due, task.said = FAILED, due, said
                self._fresh.append(task)

    def _is_being_sent(self, task: Task) -> bool:
        """Not so if it is done with, or in line again: a fault may come after either."""
        return self._known.get(task.study) is task and task.state == SENDING

    def done(self, task: Task) -> list[Note]:
        """The study was dealt with; its notes, to be ticked off. It stays if it is due again."""
        with self._lock:
            notes, task.notes = task.notes, []
            if self._known.get(task.study) is not task:
                return notes
            if task.again:
                task.again, task.forced, task.tries, task.due = False, False, 0, 0.0
                task.state = WAITING
                self._fresh.append(task)
            else:
                del self._known[task.study]
            return notes

    def find(self, study: str) -> Task | None:
        """The task of a study."""
        with self._lock:
            return self._known.get(study)

    def due_in(self, now: float) -> float | None:
        """Seconds until the next task is due; None if there is none."""
        with self._lock:
            waits = [task.due - now for waiting in (self._fresh, self._swept) for task in waiting]
            return max(0.0, min(waits)) if waits else None

    def counts(self) -> dict[str, int]:
        """How many studies are in which state."""
        with self._lock:
            states = [task.state for task in self._known.values()]
        return {state: states.count(state) for state in (WAITING, SENDING, FAILED)}
