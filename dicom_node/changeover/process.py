"""The process that fills a wanted space beside the worker, and ends when none is wanted.

It may be killed at any moment: what stands in the tables is where the next one goes on.
"""

import logging
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic
from types import TracebackType
from typing import Self

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from dicom_node.changeover.filling import Filling, Task
from dicom_node.changeover.finishing import Finisher, forget_stale_snapshot
from dicom_node.changeover.progress import NodeProgress, tell_counts, tell_node
from dicom_node.child_process import Tether, die_with_parent
from dicom_node.identity import device_uid
from dicom_node.logs import configure_logging
from dicom_node.rounds import StoppedWaitingError, run_rounds, when_reached
from dicom_node.settings import Settings
from encoders.encoder import EncoderError
from storage import changeover, spaces
from storage.changeover import Gap, NotInUseError
from storage.database import connect

log = logging.getLogger(__name__)

LOOK_S = 1.0
TELL_S = 1.0
TOLD_AGAIN_S = 60.0
"""How often a node says once more what it said, to show that it is there."""
PACE_S = 30.0
MOST_SEEN = 1000
AGAIN_S = 300.0
"""How long images that cannot be embedded, or an encoder that cannot be made, are left alone."""
END_S = 5.0
"""How long a batch that is being embedded may keep the node from ending."""


def main(tether: Tether, settings: Settings, database_url: str) -> None:
    """Entry of the spawned process."""
    configure_logging()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent decides when to stop
    die_with_parent()
    tether.ready.send("")
    threading.Thread(target=_end, args=(tether.stop,), name="end", daemon=True).start()
    try:
        engine = when_reached("changeover", lambda: connect(database_url), tether.stop)
    except StoppedWaitingError:
        return
    node = device_uid(settings.data_folder)
    with Changeover(engine, settings, node=node, stop=tether.stop) as work:
        work.run(tether.stop)


def _end(stop: threading.Event) -> None:
    """Ends the process within seconds, in the middle of a batch if need be: nothing is lost."""
    stop.wait()
    threading.Event().wait(END_S)
    os._exit(0)


class Changeover:
    """One node's part in filling a wanted space; use it as a context manager.

    ``stop`` is set when the node is to end; fetching is broken off then.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        *,
        node: str,
        stop: threading.Event | None = None,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._node = node
        self._part: _Part | None = None
        self._faulty: _Faulty | None = None
        self._stop = stop
        self._breaks: Counter[int] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._let_go()

    def run(self, stop: threading.Event) -> None:
        """Works until told to stop, or until no space is wanted: then it sets ``stop`` itself."""

        def round_() -> None:
            if not self.round(stop.wait):
                stop.set()

        run_rounds("changeover", [], round_, stop)

    def round(self, wait: Callable[[float], object]) -> bool:
        """One batch, or one look at what is left; False if no space is wanted.

        ``wait`` is called with seconds where there is nothing to do at once.
        """
        with self._engine.connect() as connection:
            wanted, task = spaces.wanted(connection), task_of(connection)
        if wanted is None or task is None:
            self._let_go()
            return False
        with ExitStack() as undo:
            undo.callback(self._let_go)  # a batch may be lost: begin again with what is missing
            with suppress(NotInUseError):  # the next look says what is wanted now
                if self._part is None:
                    forget_stale_snapshot(self._settings, wanted)
                part = self._part_in(task)
                wait(LOOK_S) if part is None else part.advance(wait)
                undo.pop_all()
        return True

    def _part_in(self, task: Task) -> "_Part | None":
        """The work on a task; None if its encoder cannot be made, which is tried again later."""
        if self._part is not None and self._part.filling.task == task:
            return self._part
        self._let_go()
        if self._faulty is not None and self._faulty.stands(task):
            return None
        filling = Filling(
            self._engine,
            self._settings,
            task,
            node=self._node,
            stop=self._stop,
            breaks=self._breaks,
        )
        try:
            filling.__enter__()
        except EncoderError as fault:
            log.error("space %s cannot be filled here: %s", task.wanted.id, fault)
            self._faulty = _Faulty(self._engine, task, self._node, str(fault))
            self._faulty.tell()
            return None
        log.info("%s is embedded into space %s", task.wanted.encoder, task.wanted.id)
        self._faulty = None
        self._part = _Part(self._engine, self._settings, filling, self._node)
        return self._part

    def _let_go(self) -> None:
        if self._part is not None:
            self._part.filling.__exit__(None, None, None)
            self._part = None


def task_of(connection: Connection) -> Task | None:
    """What is to be done; None if nothing is."""
    wanted, used = spaces.wanted(connection), spaces.known_in_use(connection)
    if wanted is None or used is None or wanted.id == used.id:
        return None
    return Task(used.summary, wanted.summary, wanted.maker, used.maker)


class _Faulty:
    """A task whose encoder cannot be made here; it is told so that other nodes know."""

    def __init__(self, engine: Engine, task: Task, node: str, fault: str) -> None:
        self._engine = engine
        self._task = task
        self._node = node
        self._fault = fault
        self._again_at = monotonic() + AGAIN_S
        self._tell_at = 0.0

    def stands(self, task: Task) -> bool:
        """Whether it is too early to try once more; told each minute."""
        if task != self._task or monotonic() > self._again_at:
            return False
        if monotonic() > self._tell_at:
            self.tell()
        return True

    def tell(self) -> None:
        """Writes it down."""
        said = NodeProgress(at=_now(), fault=self._fault)
        tell_node(self._engine, self._task.wanted.id, self._node, said)
        self._tell_at = monotonic() + TOLD_AGAIN_S


class _Part:
    """The work on a task whose encoder is made, and what is told of it."""

    def __init__(self, engine: Engine, settings: Settings, filling: Filling, node: str) -> None:
        self.filling = filling
        self._engine = engine
        self._node = node
        self._finisher = Finisher(engine, settings, filling)
        self._pace = _Pace()
        self._again_at, self._look_at = monotonic() + AGAIN_S, 0.0
        self._said: NodeProgress | None = None
        self._tell_at = self._tell_again_at = self._count_at = 0.0

    def advance(self, wait: Callable[[float], object]) -> None:
        """One batch; at the end a look at what is left, and the switch if nothing is.

        A look takes seconds in a large archive, which has other things to do: so it is looked
        now and then. What came meanwhile is embedded at once all the same.
        """
        if self._fill():
            return
        if monotonic() < self._look_at:
            wait(LOOK_S)
            return
        began = monotonic()
        gap = self._look()
        self._look_at = monotonic() + max(LOOK_S, 10 * (monotonic() - began))
        if not self._finisher.finish(gap.missing, self._fill):
            if monotonic() > self._again_at:
                self._again_at = monotonic() + AGAIN_S
                self.filling.again()
            wait(LOOK_S)

    def _fill(self) -> bool:
        if not self.filling.advance():
            return False
        self._pace.count(self.filling.embedded)
        if monotonic() > self._tell_at:
            self._tell()
        return True

    def _look(self) -> Gap:
        gap, task = self._counted(), self.filling.task
        left = gap.surplus
        while left:
            with self._engine.begin() as connection:
                left = changeover.retire_surplus(
                    connection, in_use=task.in_use.id, wanted=task.wanted.id
                )
        if not gap.missing:
            self.filling.lacking.clear()
        self._tell(at_end=True)
        return gap

    def _counted(self) -> Gap:
        began, task = monotonic(), self.filling.task
        with self._engine.connect() as connection:
            gap = changeover.gap(connection, in_use=task.in_use.id, wanted=task.wanted.id)
        tell_counts(self._engine, task.wanted.id, images=gap.images, missing=gap.missing)
        self._count_at = monotonic() + max(TELL_S, 20 * (monotonic() - began))
        return gap

    def _tell(self, *, at_end: bool = False) -> None:
        if monotonic() > self._count_at:
            self._counted()
        said = NodeProgress(
            at="",
            embedded=self.filling.embedded,
            per_s=0.0 if at_end else self._pace.per_s,
            lacking=self.filling.lacking.told(),
            at_end=at_end,
        )
        if said == self._said and monotonic() < self._tell_again_at:
            return
        told = replace(said, at=_now())
        tell_node(self._engine, self.filling.task.wanted.id, self._node, told)
        self._said, self._tell_at = said, monotonic() + TELL_S
        self._tell_again_at = monotonic() + TOLD_AGAIN_S


class _Pace:
    """How many a second, over the last half minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque([(monotonic(), 0)])

    def count(self, done: int) -> None:
        """So many are done now."""
        self._seen.append((monotonic(), done))
        while len(self._seen) > MOST_SEEN or (
            len(self._seen) > 2 and monotonic() - self._seen[0][0] > PACE_S
        ):
            self._seen.popleft()

    @property
    def per_s(self) -> float:
        """Images a second."""
        (first_at, first), (last_at, last) = self._seen[0], self._seen[-1]
        return round((last - first) / max(1e-3, last_at - first_at), 2)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
