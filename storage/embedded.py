"""The PostgreSQL server that the node brings along and starts in its data folder.

Several processes use one server at once, a node and ``likeness status`` say. They are counted with
file locks, which the kernel releases whatever ends a process: the last one stops the server, and
one at a time starts it.
"""

import fcntl
import logging
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from storage.outages import DatabaseError
from storage.postmaster import Postmaster

log = logging.getLogger(__name__)

READY_S = 60.0
REVIVED_S = 3.0
LONGEST_PAUSE_S = 30.0
TOLD_TRIES = 3
"""So many failed tries to start a dead server are logged, once."""


class EmbeddedServer:
    """A running PostgreSQL whose data lies in ``folder``; stopped by its last user.

    A server left behind by a killed process is taken over as it runs. ``url`` is good for as long
    as this object is used, also after the server died and was started again.

    Raises:
        UnreachableError: the server does not start; trying again may help.
        DatabaseError: its data folder cannot be made, or is of another version of PostgreSQL.
    """

    def __init__(self, folder: Path, *, ready_within_s: float = READY_S) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._postmaster = Postmaster(folder)
        self._starting = folder.parent / f"{folder.name}.starting"
        self._users: IO[str] = (folder.parent / f"{folder.name}.users").open("a")
        self._death = _Death(folder)
        with ExitStack() as undo:
            undo.enter_context(self._users)
            fcntl.flock(self._users, fcntl.LOCK_SH)
            with _held(self._starting):
                self._start(ready_within_s)
            self.url: str = self._postmaster.url()
            undo.pop_all()

    def _start(self, ready_within_s: float) -> None:
        if self._postmaster.is_running():
            return
        try:
            self._postmaster.make()
            self._postmaster.start(ready_within_s)
        except (subprocess.SubprocessError, RuntimeError, OSError) as fault:
            raise DatabaseError(
                f"the embedded PostgreSQL in {self._postmaster.folder} cannot be used: {fault}. "
                "Mend it, or set database_url to a server of yours."
            ) from fault

    def revive_if_dead(self) -> bool:
        """Starts the server again if it died; True if it did so just now.

        Cheap while all is well (two small files are read), so call it every second. A server that
        does not start is tried again after a while, longer each time up to half a minute; that is
        logged once. While it recovers it runs, and refuses connections as an outage.
        """
        if self._postmaster.is_running():
            self._death.over()
            return False
        self._death.found()
        if not self._death.is_time_to_try():
            return False
        with _held(self._starting, wait=False) as ours:
            if not ours or self._postmaster.is_running():  # somebody else revives it
                return False
            return self._revive()

    def _revive(self) -> bool:
        try:
            self._start(REVIVED_S)
        except DatabaseError as fault:
            self._death.not_revived(fault)
            return False
        self._death.over()
        return True

    def close(self) -> None:
        """Gives the server up, and stops it if nobody else uses it."""
        with self._users:
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self._postmaster.stop()


class _Death:
    """What is said of a dead server, and when the next try to start it is due."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._is_dead = False
        self._tries = 0
        self._not_before = 0.0

    def found(self) -> None:
        if not self._is_dead:
            log.error("the embedded PostgreSQL in %s died; it is started again", self._folder)
        self._is_dead = True

    def is_time_to_try(self) -> bool:
        return time.monotonic() >= self._not_before

    def not_revived(self, fault: DatabaseError) -> None:
        # The first tries may fail only because children of the dead server still hold its memory.
        self._tries += 1
        self._not_before = time.monotonic() + min(LONGEST_PAUSE_S, 2.0 ** (self._tries - 2))
        if self._tries == TOLD_TRIES:
            log.error("%s It is tried again at least twice a minute.", fault)

    def over(self) -> None:
        if self._is_dead:
            log.info("the embedded PostgreSQL in %s runs again", self._folder)
        self._is_dead = False
        self._tries = 0
        self._not_before = 0.0


@contextmanager
def _held(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Holds the lock on ``path`` for the block; False if somebody else does and we do not wait."""
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
