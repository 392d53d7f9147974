"""A part of the node in a process of its own: spawned (never forked), started again if it dies."""

import logging
import multiprocessing
import os
import threading
from collections.abc import Callable
from ctypes import c_bool
from dataclasses import dataclass
from functools import cached_property
from multiprocessing.connection import Connection as Pipe
from multiprocessing.context import SpawnProcess
from typing import Any

log = logging.getLogger(__name__)

START_S = 120.0
STOP_S = 30.0

SPAWN = multiprocessing.get_context("spawn")


class StartError(Exception):
    """The node cannot start; the message says why and what to do."""


@dataclass(frozen=True)
class Tether:
    """What ties a child to the node.

    Attributes:
        ready: the child sends an empty text once it works, or why it cannot.
        end: the node closes its end of this pipe when the child is to end.
    """

    ready: Pipe
    end: Pipe

    @cached_property
    def stop(self) -> threading.Event:
        """For the child: set when it is to end.

        No event of multiprocessing: to set one blocks for ever once a process that waited for it
        was killed.
        """
        stop = threading.Event()

        def watch() -> None:
            self.end.poll(None)
            stop.set()

        threading.Thread(target=watch, name="watch-stop", daemon=True).start()
        return stop


class Flag:
    """A truth that the node sets and its children read; without a lock that may die with one."""

    def __init__(self) -> None:
        self._value = SPAWN.RawValue(c_bool, False)

    def set(self) -> None:
        """From now on it holds."""
        self._value.value = True

    def clear(self) -> None:
        """From now on it does not hold."""
        self._value.value = False

    def is_set(self) -> bool:
        """Whether it holds."""
        return bool(self._value.value)


def die_with_parent() -> None:
    """A part without its node would hold leases, the index or the port; it ends with the node."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="watch-parent", daemon=True).start()


class ChildProcess:
    """Runs ``target(tether, *arguments)`` in a process; use it as a context manager.

    Args:
        name: what it is called in the log.
        target: its entry, at the top level of a module.
        arguments: called before each start, for what the child is given.
    """

    def __init__(
        self, name: str, target: Callable[..., None], arguments: Callable[[], tuple[Any, ...]]
    ) -> None:
        self._name = name
        self._target = target
        self._arguments = arguments
        self._end: Pipe | None = None
        self._process: SpawnProcess | None = None

    def __enter__(self) -> "ChildProcess":
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None or self._end is None:
            return
        self._end.close()
        self._process.join(STOP_S)
        if self._process.is_alive():
            log.warning("the %s did not stop within %d s and is killed", self._name, STOP_S)
            self._process.kill()
            self._process.join()

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.is_alive()

    def restart_if_dead(self) -> bool:
        """Starts another one if it ended or died; True if one was started."""
        if self._process is None or self._process.is_alive():
            return False
        if self._process.exitcode:
            log.error("the %s died (exit code %s)", self._name, self._process.exitcode)
        try:
            self._start()
        except StartError as fault:  # perhaps the database is away: look again soon
            log.error("the %s did not start: %s", self._name, fault)
            return False
        log.info("another %s was started", self._name)
        return True

    def _start(self) -> None:
        """Spawns it and waits for its word that it is ready.

        Raises:
            StartError: it says that it cannot work, or dies.
        """
        if self._end is not None:
            self._end.close()
        end, self._end = SPAWN.Pipe(duplex=False)
        ours, theirs = SPAWN.Pipe(duplex=False)
        self._process = SPAWN.Process(
            target=self._target,
            args=(Tether(theirs, end), *self._arguments()),
            name=f"likeness-{self._name}",
        )
        self._process.start()
        theirs.close()
        end.close()
        fault = self._first_word(ours)
        if fault:
            # one that is late would hold the port, and keep the node from ending
            self._process.kill()
            self._process.join()
            raise StartError(fault)

    def _first_word(self, ready: Pipe) -> str:
        """Empty once the child works, else why it does not."""
        with ready:
            try:
                said = (
                    ready.recv() if ready.poll(START_S) else f"the {self._name} did not get ready"
                )
            except EOFError:
                said = f"the {self._name} died while starting; its last words are above"
        return str(said)
