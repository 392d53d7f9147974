"""From the spool into the database, and the closing of studies: one thread, in order.

A dead database only makes this wait: what was acknowledged lies in the spool, and the names not
yet recorded stay in the queue or, after a restart, are found again.
"""

import logging
import queue
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from dicom_node.header_reader import HeaderReader
from dicom_node.received import UnreadableError
from dicom_node.rounds import run_rounds
from dicom_node.spool import Spool
from storage import studies
from storage.database import is_outage, refusal
from storage.studies import ReceivedInstance

log = logging.getLogger(__name__)

BATCH = 64
LONGEST_WAIT_S = 1.0
"""A study may also be opened or closed by another process, so the wait is never long."""


class Intake:
    """Records spooled instances and closes studies that are complete.

    The C-STORE handlers tell it what arrived; ``run`` does the rest in a thread of its own.
    """

    def __init__(self, engine: Engine, spool: Spool, *, node: str, close_after_s: float) -> None:
        self._engine = engine
        self._spool = spool
        self._node = node
        self._close_after = timedelta(seconds=close_after_s)
        self._arrived: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._pending: list[str] = []
        self._carried: dict[int, set[str]] = {}
        self._carried_lock = threading.Lock()
        self._wait_s = 0.0
        self._headers = HeaderReader()

    def carries(self, association: int, study_instance_uid: str) -> None:
        """An open association carries this study, which therefore is not complete."""
        with self._carried_lock:
            self._carried.setdefault(association, set()).add(study_instance_uid)

    def released(self, association: int) -> None:
        """An association ended, however it did."""
        with self._carried_lock:
            ended = self._carried.pop(association, None)
        if ended:
            self._arrived.put(None)

    def arrived(self, name: str) -> None:
        """A file is durable in the spool under this name."""
        self._arrived.put(name)

    def run(self, stop: threading.Event) -> None:
        """Takes over what an earlier life of the node left in the spool, then works until told."""
        with self._headers:
            run_rounds("intake", [self._adopt], self._round, stop)

    def _adopt(self) -> None:
        with self._engine.connect() as connection:
            left = studies.unrecorded(connection, list(self._spool.names()))
        self._pending = sorted(left)
        if left:
            log.info("taking in %d files that an earlier run left in the spool", len(left))

    def _round(self) -> None:
        self._take_arrived()
        while self._pending:
            self._record(self._pending[:BATCH])
            del self._pending[:BATCH]
        self._wait_s = self._close_due()

    def _take_arrived(self) -> None:
        try:
            name = self._arrived.get(timeout=self._wait_s if not self._pending else 0.001)
            while True:
                if name is not None:
                    self._pending.append(name)
                name = self._arrived.get_nowait()
        except queue.Empty:
            return

    def _record(self, names: Sequence[str]) -> None:
        readable = [received for name in names if (received := self._read(name)) is not None]
        try:
            self._write(readable)
        except DBAPIError as fault:
            if is_outage(fault):
                raise
            self._find_culprit(readable, fault)

    def _find_culprit(self, received: Sequence[ReceivedInstance], fault: DBAPIError) -> None:
        """One instance that the database refuses must not keep out the others of its batch."""
        if len(received) == 1:
            self._quarantine(received[0].spool_name, refusal(fault))
            return
        for instance in received:
            self._record([instance.spool_name])

    def _read(self, name: str) -> ReceivedInstance | None:
        path = self._spool.path(name)
        if not path.exists():  # quarantined or found a duplicate before a round was repeated
            return None
        try:
            return self._headers.read(path, name)
        except UnreadableError as fault:
            self._quarantine(name, str(fault))
            return None

    def _quarantine(self, name: str, reason: str) -> None:
        kept = self._spool.quarantine(name, reason)
        log.warning("quarantined %s: %s", kept, reason)

    def _write(self, received: Sequence[ReceivedInstance]) -> None:
        surplus = []
        with self._engine.begin() as connection:
            for instance in received:
                _, not_needed = studies.record(connection, instance, received_by=self._node)
                surplus.append(not_needed)
        for name in surplus:
            if name is not None:
                self._spool.remove(name)

    def _close_due(self) -> float:
        """Closes what is complete; returns the seconds until the next study may be."""
        with self._carried_lock:
            carried = sorted(set().union(*self._carried.values()))
        now = datetime.now(UTC)
        with self._engine.begin() as connection:
            closed = studies.close_due(
                connection,
                received_by=self._node,
                quiet_since=now - self._close_after,
                still_carried=carried,
            )
            oldest = studies.oldest_open(connection, received_by=self._node, still_carried=carried)
        for uid in closed:
            log.info("study %s is closed and queued", uid)
        if oldest is None:
            return LONGEST_WAIT_S
        due_s = (oldest + self._close_after - now).total_seconds()
        return min(LONGEST_WAIT_S, max(0.001, due_s))
