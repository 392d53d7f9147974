"""Has peers commit to what they stored: asks, hears their reports, records them (PS3.4 annex J).

A thread of its own. What is to be asked stands in the database, so that a restart loses nothing:
a report that was answered and not recorded is asked for again, under another transaction.
"""

import logging
import queue
import threading
from typing import NamedTuple

from pydicom.uid import generate_uid
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from dicom_node.commitment_request import Listening, request_commitment
from dicom_node.event_information import CommitmentResult
from dicom_node.receiver_events import CommitmentReported, Event
from dicom_node.rounds import run_rounds
from dicom_node.scu import SendError
from dicom_node.settings import Peer, Settings
from storage import commitments
from storage.queue import RetryRule

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 1.0
"""So that what was just sent is asked for soon, and a node that is told to stop does."""

RESULT_WAIT_S = 3600.0
LONGEST_RESULT_WAIT_S = 86_400.0
"""How long a result is awaited before the peer is asked again: an hour, twice as long each time,
a day at most; an archive may have to move what it stored to where it keeps it."""

FAILURE_REASONS = {
    0x0110: "processing failure",
    0x0112: "no such object instance",
    0x0119: "class / instance conflict",
    0x0122: "referenced SOP class not supported",
    0x0131: "duplicate transaction UID",
    0x0213: "resource limitation",
}
"""Failure Reason (0008,1197), PS3.3 C.14.1.1."""


class _Report(NamedTuple):
    calling_ae: str
    result: CommitmentResult


class StorageCommitment:
    """Takes sends that are to be committed through to the end.

    ``take`` hears what the receiver tells; ``run`` does the rest.
    """

    def __init__(self, engine: Engine, settings: Settings, *, node: str) -> None:
        self._engine = engine
        self._settings = settings
        self._node = node
        work = settings.work
        self._rule = RetryRule(work.send_attempts, work.first_wait_s)
        self._results = RetryRule(work.send_attempts, RESULT_WAIT_S, LONGEST_RESULT_WAIT_S)
        self._arrived: queue.SimpleQueue[_Report] = queue.SimpleQueue()
        self._unrecorded: _Report | None = None
        self._wait_s = 0.001
        self._asking: tuple[str, threading.Event] | None = None

    def take(self, event: Event) -> None:
        """Hears one event of the receiver; may be called from any thread, and returns at once."""
        if isinstance(event, CommitmentReported):
            self._put(event.calling_ae, event.result)
            asking = self._asking
            if asking is not None and asking[0] == event.result.transaction_uid:
                asking[1].set()

    def _put(self, calling_ae: str, result: CommitmentResult) -> None:
        self._arrived.put(_Report(calling_ae, result))

    def run(self, stop: threading.Event) -> None:
        """Asks and records until told to stop."""
        run_rounds("storage commitment", [], self._round, stop)

    def _round(self) -> None:
        self.record_next(self._wait_s)
        self._wait_s = 0.001 if self.ask_next() else LONGEST_WAIT_S

    def record_next(self, wait_s: float) -> bool:
        """Records a report that came, or comes within ``wait_s``; False if there was none."""
        if self._unrecorded is None:
            try:
                self._unrecorded = self._arrived.get(timeout=wait_s)
            except queue.Empty:
                return False
        self._record(*self._unrecorded)
        self._unrecorded = None  # only now: the database may have been away
        return True

    def ask_next(self) -> bool:
        """Takes the send that is due first a step further; False if none was due."""
        transaction_uid = str(generate_uid(prefix=None))
        with self._engine.begin() as connection:
            due = commitments.next_due(connection, node=self._node)
            if due is None:
                return False
            peer = self._still_asked(connection, due)
            if peer is None:
                return True
            wait_s = self._results.wait_s(due.attempts + 1)
            commitments.mark_asked(
                connection, due.id, transaction_uid=transaction_uid, wait_s=wait_s
            )
        self._ask(peer, due, transaction_uid)
        return True

    def _still_asked(self, connection: Connection, due: commitments.Commitment) -> Peer | None:
        """The peer that is to be asked, unless that is settled without it."""
        peer = self._settings.peer_named(due.peer)
        if peer is None or not peer.storage_commitment:
            commitments.no_longer_wanted(connection, due.id)
            log.info("the settings no longer ask %s for storage commitment", due.peer)
            return None
        if due.attempts >= self._rule.attempts:
            reason = _gave_no_result(due)
            commitments.give_up(connection, due.id, reason)
            log.warning("report on %s: %s", due.study_instance_uid, reason)
            return None
        return peer

    def _ask(self, peer: Peer, due: commitments.Commitment, transaction_uid: str) -> None:
        listening = Listening(lambda result: self._put(peer.ae_title, result))
        self._asking = (transaction_uid, listening.settled)
        try:
            request_commitment(
                peer,
                transaction_uid,
                due.taken,
                listening,
                calling_ae=self._settings.dicom.ae_title,
                tls=self._settings.tls,
            )
        except SendError as fault:
            wait_s = self._rule.wait_s(due.attempts + 1)
            with self._engine.begin() as connection:
                commitments.ask_sooner(connection, transaction_uid, str(fault), wait_s=wait_s)
            log.warning("storage commitment not asked for, later again: %s", fault)
        else:
            log.info("report on %s: %s is asked to keep it", due.study_instance_uid, due.peer)
        finally:
            self._asking = None

    def _record(self, calling_ae: str, result: CommitmentResult) -> None:
        with self._engine.begin() as connection:
            found = commitments.of_transaction(connection, result.transaction_uid)
            peer = None if found is None else self._settings.peer_named(found.peer)
            if found is None or peer is None or peer.ae_title != calling_ae:
                # such as the late result of a request that was made again, or a report by another
                # than the AE that was asked (PS3.4 J.3.3.1.2, note 2)
                said = "%r reported on a storage commitment that we do not await of it: %s"
                log.warning(said, calling_ae, result.transaction_uid)
                return
            open_instances = _not_committed(found, result)
            if not open_instances:
                commitments.committed(connection, found.id)
                log.info("report on %s: %s keeps it", found.study_instance_uid, found.peer)
            elif found.commitment == "asked":
                reason = f"stored, but {found.peer} does not commit to {', '.join(open_instances)}"
                again = commitments.send_again(connection, found.id, reason, self._rule)
                outcome = "it is sent again" if again else "given up; `likeness retry` sends it"
                log.warning("report on %s: %s: %s", found.study_instance_uid, reason, outcome)


def _gave_no_result(due: commitments.Commitment) -> str:
    why = due.reason or "no result came"
    return f"stored, but {due.peer} did not commit to it, asked {due.attempts} times: {why}"


def _not_committed(due: commitments.Commitment, result: CommitmentResult) -> list[str]:
    """What the peer stored and does not say it keeps, with its reason.

    It has to name everything that it was asked for, in one list or the other (PS3.4 J.3.3.1.2).
    """
    reasons = dict(result.failed)
    return [
        f"{uid} ({_words(reasons[uid]) if uid in reasons else 'not mentioned'})"
        for uid in (reference.sop_instance_uid for reference in due.taken)
        if uid not in result.committed or uid in reasons
    ]


def _words(reason: int | None) -> str:
    if reason is None:
        return "no reason given"
    return f"0x{reason:04X} {FAILURE_REASONS.get(reason, 'unknown reason')}"
