"""Has peers commit to what they stored: asks, hears their reports, records them (PS3.4 annex J).

A thread of its own. What is to be asked stands in the database, so that a restart loses nothing:
a report that was answered and not recorded is asked for again, under another transaction.
"""

import logging
import queue
import threading
from functools import partial
from typing import NamedTuple

from pydicom.uid import generate_uid
from sqlalchemy import Engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from dicom_node.commitment_request import Listening, request_commitment
from dicom_node.event_information import CommitmentResult
from dicom_node.outcomes import write_outcome
from dicom_node.receiver_events import CommitmentReported, Event
from dicom_node.rounds import run_rounds
from dicom_node.scu import NoAnswerError, NotReachedError, SendError
from dicom_node.settings import Peer, Settings
from dicom_node.silent_peers import SilentPeers
from storage import commitments
from storage.outages import is_outage, refusal
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
        self._silent = SilentPeers(work.first_wait_s)
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
        try:
            self._record(*self._unrecorded)
        except DBAPIError as fault:
            if is_outage(fault):
                raise  # and record it once the database is back
            calling_ae, result = self._unrecorded
            said = "the report of %r on %s is not recorded: %s"
            log.error(said, calling_ae, result.transaction_uid, refusal(fault))
        self._unrecorded = None
        return True

    def ask_next(self) -> bool:
        """Takes the send that is due first a step further; False if none was due."""
        transaction_uid = str(generate_uid(prefix=None))
        with self._engine.begin() as connection:
            due = commitments.next_due(connection, node=self._node, resting=self._silent.resting())
            if due is None:
                return False
            peer = self._still_asked(connection, due)
            if peer is None:
                return True
            # tries before the peer first takes a request are none that it had time to work on
            times = due.attempts + 1 if due.commitment == "asked" else 1
            wait_s = self._results.wait_s(times)
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
            self._silent.hear(due.peer, silent=isinstance(fault, NoAnswerError))
            self._not_taken(due, transaction_uid, fault)
        else:
            self._silent.hear(due.peer, silent=False)
            log.info("report on %s: %s is asked to keep it", due.study_instance_uid, due.peer)
        finally:
            self._asking = None

    def _not_taken(
        self, due: commitments.Commitment, transaction_uid: str, fault: SendError
    ) -> None:
        reached = not isinstance(fault, NotReachedError)
        write = partial(
            commitments.not_taken if reached else commitments.not_reached,
            due=due,
            transaction_uid=transaction_uid,
            reason=str(fault),
            wait_s=self._rule.wait_s(due.attempts + 1),
        )
        log.warning("storage commitment not asked for, later again: %s", fault)
        what = f"storage commitment of {due.peer} to the report on {due.study_instance_uid}"
        write_outcome(self._engine, what, write, partial(_give_up, due.id))

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
            elif found.commitment in commitments.OPEN:
                reason = f"stored, but {found.peer} does not commit to {', '.join(open_instances)}"
                again = commitments.send_again(connection, found.id, reason, self._rule)
                outcome = "it is sent again" if again else "given up; `likeness retry` sends it"
                log.warning("report on %s: %s: %s", found.study_instance_uid, reason, outcome)


def _give_up(send_id: int, connection: Connection, reason: str) -> None:
    commitments.give_up(connection, send_id, reason)


def _gave_no_result(due: commitments.Commitment) -> str:
    last = f"; what went wrong last: {due.reason}" if due.reason else ""
    tries = f"{due.attempts} {'try' if due.attempts == 1 else 'tries'}"
    return f"stored, but {due.peer} did not commit to it: no result in {tries}{last}"


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
