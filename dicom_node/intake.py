"""From the spool into the database, and the closing of studies: one thread, in order.

A dead database only makes this wait: what was acknowledged lies in the spool, and the names not
yet recorded stay in the queue or, after a restart, are found again.
"""

import logging
import queue
import threading
import time
from collections.abc import Sequence

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from dicom_node.header_reader import HeaderReader
from dicom_node.quiet_studies import Clock, QuietStudies
from dicom_node.received import UnreadableError, maker_of
from dicom_node.receiver_events import AssociationEnded, Event, InstanceAnswered
from dicom_node.report.own import is_own_report
from dicom_node.rounds import run_rounds
from dicom_node.spool import Spool
from dicom_node.surplus_files import remove_surplus_files
from storage import studies
from storage.database import is_outage, refusal
from storage.received import ReceivedInstance
from storage.studies import Recorded

log = logging.getLogger(__name__)

BATCH = 64
LONGEST_WAIT_S = 1.0
"""A study may also be opened or closed by another process, so the wait is never long."""


class Intake:
    """Records spooled instances and closes studies that are complete.

    ``take`` hears what the receiver tells; ``run`` does the rest in a thread of its own.

    Args:
        engine, spool: where to record, and what.
        node: this node's device UID.
        close_after_s: how long nothing may have come for a study that is complete.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        engine: Engine,
        spool: Spool,
        *,
        node: str,
        close_after_s: float,
        clock: Clock = time.monotonic,
    ) -> None:
        self._engine = engine
        self._spool = spool
        self._node = node
        self._quiet = QuietStudies(close_after_s, clock)
        self._arrived: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._pending: dict[str, None] = {}
        self._adoptions_asked = 1  # what an earlier life of the node left is taken over first
        self._adoptions_done = 0
        self._carried: dict[int, set[str]] = {}
        self._carried_lock = threading.Lock()
        self._wait_s = 0.0
        self._headers = HeaderReader()

    def take(self, event: Event) -> None:
        """Hears one event of the receiver; may be called from any thread, and returns at once.

        A study is not complete while an open association has brought some of it.
        """
        if isinstance(event, InstanceAnswered) and event.spool_name is not None:
            with self._carried_lock:
                carried = self._carried.setdefault(event.association, set())
                carried.add(event.study_instance_uid or "")
            self._arrived.put(event.spool_name)
        elif isinstance(event, AssociationEnded):
            with self._carried_lock:
                ended = self._carried.pop(event.association, None)
            if ended:
                self._wake()

    def adopt_again(self) -> None:
        """Has the spool looked through once more: a receiver died and may not have told all."""
        self._adoptions_asked += 1
        self._wake()

    def _wake(self) -> None:
        self._arrived.put(None)

    def run(self, stop: threading.Event) -> None:
        """Takes over what an earlier life of the node left in the spool, then works until told."""
        with self._headers:
            run_rounds("intake", [], lambda: self._round(stop), stop)

    def _adopt(self) -> None:
        remove_surplus_files(self._engine, self._spool, node=self._node)
        with self._engine.connect() as connection:
            left = studies.unrecorded(connection, list(self._spool.names()))
        self._pending |= dict.fromkeys(sorted(left))
        if left:
            log.info("taking in %d files that an earlier run left in the spool", len(left))

    def _round(self, stop: threading.Event) -> None:
        self._take_arrived()
        asked = self._adoptions_asked
        if self._adoptions_done != asked:
            self._adopt()
            self._adoptions_done = asked
        names = list(self._pending)
        for start in range(0, len(names), BATCH):
            if stop.is_set():
                return
            self._record(names[start : start + BATCH])
            for name in names[start : start + BATCH]:
                del self._pending[name]
        self._wait_s = self._close_due()

    def _take_arrived(self) -> None:
        try:
            name = self._arrived.get(timeout=self._wait_s if not self._pending else 0.001)
            while True:
                if name is not None:
                    self._pending[name] = None
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
        """The file's header; None where the file is not to be recorded."""
        path = self._spool.path(name)
        if not path.exists():  # quarantined or found a duplicate before a round was repeated
            return None
        try:
            received = self._headers.read(path, name)
        except UnreadableError as fault:
            self._quarantine(name, str(fault))
            return None
        if is_own_report(maker_of(received), self._node):
            log.info("our own report %s came back and is dropped", received.sop_instance_uid)
            self._spool.remove(name)
            return None
        return received

    def _quarantine(self, name: str, reason: str) -> None:
        kept = self._spool.quarantine(name, reason)
        log.warning("quarantined %s: %s", kept, reason)

    def _write(self, received: Sequence[ReceivedInstance]) -> None:
        if not received:
            return
        with self._engine.begin() as connection:
            outcomes = studies.record_all(connection, received, received_by=self._node)
        if set(outcomes) != {Recorded.NEW}:
            remove_surplus_files(self._engine, self._spool, node=self._node)

    def _close_due(self) -> float:
        """Closes what is complete; returns the seconds until the next study may be."""
        with self._carried_lock:
            carried = set().union(*self._carried.values())
        with self._engine.begin() as connection:
            self._quiet.look(studies.open_studies(connection, received_by=self._node))
            closed = studies.close(connection, self._quiet.due(carried), received_by=self._node)
        for uid in closed:
            log.info("study %s is closed and queued", uid)
        due_s = self._quiet.next_due_s(carried)
        return LONGEST_WAIT_S if due_s is None else min(LONGEST_WAIT_S, max(0.001, due_s))
