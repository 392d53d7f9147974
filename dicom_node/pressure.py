"""When the node asks its senders to come back later: the disk is short, or the worker behind."""

import logging
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

log = logging.getLogger(__name__)

GB = 1e9
EASED = 1.1
"""Pressure is over when there is a tenth more room than where it began, so it does not flutter."""


@dataclass
class Mark:
    """A watermark: reached once below ``low`` room, and until there is a tenth more again."""

    what: str
    low: float
    reached: bool = False

    def look(self, room: float) -> bool:
        """Whether the mark is reached; a line is logged when that changes."""
        was = self.reached
        self.reached = room < (self.low * EASED if was else self.low)
        if self.reached and not was:
            log.error("senders are asked to wait: %s", self.what)
        elif was and not self.reached:
            log.info("senders are let in again: no longer %s", self.what)
        return self.reached


@dataclass
class Pressure:
    """Asked before each association and instance.

    Attributes:
        folder: on the disk that must keep room.
        min_free_gb: that room, in 10^9 bytes.
        queue_is_full: whether too many studies wait for the worker.
    """

    folder: Path
    min_free_gb: float
    queue_is_full: Callable[[], bool]
    _disk: Mark = field(init=False)
    _queue: Mark = field(init=False)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._disk = Mark(f"less than {self.min_free_gb:g} GB are free", self.min_free_gb * GB)
        self._queue = Mark("too many studies are queued", 1)

    def reason(self) -> str | None:
        """Why senders must wait, in words; None if they need not."""
        try:
            free = shutil.disk_usage(self.folder).free
        except OSError as fault:
            return f"the spool cannot be reached: {fault.strerror}"
        with self._lock:
            if self._disk.look(free):
                return self._disk.what
            if self._queue.look(0 if self.queue_is_full() else 2):
                return self._queue.what
        return None
