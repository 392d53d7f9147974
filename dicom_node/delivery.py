"""Sends reports to the peers that are to have them, again and again until they do."""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Engine, Row

from dicom_node.queue_rounds import QueueRounds
from dicom_node.report_sending import send_report
from dicom_node.scu import NoAnswerError, SendError
from dicom_node.settings import Settings
from storage import reports, sends
from storage.queue import SENDS, RetryRule
from storage.sends import SOPReference

log = logging.getLogger(__name__)

LONGEST_REST_S = 60.0
"""A peer that does not answer costs up to half a minute at each try, in which no other gets its
reports: so it rests, longer each time, and the others go first."""


class _Silence(NamedTuple):
    """How often in a row a peer did not answer, and until when (monotonic, s) it is left alone."""

    tries: int
    rests_until: float


class Delivery:
    """Takes sends off the queue in the database, one at a time."""

    def __init__(self, engine: Engine, settings: Settings, *, node: str) -> None:
        self._engine = engine
        self._settings = settings
        self._node = node
        work = settings.work
        self._rule = RetryRule(work.send_attempts, work.first_wait_s)
        self._rests = RetryRule(work.send_attempts, work.first_wait_s, LONGEST_REST_S)
        self._silent: dict[str, _Silence] = {}

    def run(self, stop: threading.Event) -> None:
        """Sends until told to stop."""
        rounds = QueueRounds(self._engine, SENDS, node=self._node, work_next=self.send_next)
        rounds.run("delivery", stop)

    def send_next(self) -> bool:
        """Claims one send and carries it out; False if none was due."""
        with self._engine.begin() as connection:
            row = sends.claim(
                connection,
                node=self._node,
                lease_s=self._settings.work.lease_s,
                resting=self._resting(),
            )
            if row is None:
                return False
            report = reports.load(connection, row.report_id)
        try:
            taken = self._send(row.peer, report)
        except SendError as fault:
            self._hear(row.peer, silent=isinstance(fault, NoAnswerError))
            self._not_sent(row, report, str(fault))
        else:
            self._hear(row.peer, silent=False)
            self._sent(row, report, taken)
        return True

    def _resting(self) -> list[str]:
        now = time.monotonic()
        return [peer for peer, silence in self._silent.items() if silence.rests_until > now]

    def _hear(self, peer: str, *, silent: bool) -> None:
        before = self._silent.pop(peer, None)
        if silent:
            tries = 1 if before is None else before.tries + 1
            rest = self._rests.wait_s(min(tries, self._rests.attempts))
            self._silent[peer] = _Silence(tries, time.monotonic() + rest)

    def _sent(
        self,
        row: Row[*tuple[Any, ...]],
        report: reports.StoredReport,
        taken: Sequence[SOPReference],
    ) -> None:
        peer = self._settings.peer_named(row.peer)
        wanted = peer is not None and peer.storage_commitment
        with self._engine.begin() as connection:
            sends.sent(connection, row, taken, commitment_wanted=wanted)
        log.info("report on %s sent to %s", report.study_instance_uid, row.peer)

    def _not_sent(
        self, row: Row[*tuple[Any, ...]], report: reports.StoredReport, fault: str
    ) -> None:
        with self._engine.begin() as connection:
            again = SENDS.again(connection, row, fault, self._rule)
        outcome = "will be tried again" if again else "given up; `likeness retry` sends it again"
        log.warning("report on %s not sent, %s: %s", report.study_instance_uid, outcome, fault)

    def _send(self, peer_name: str, report: reports.StoredReport) -> list[SOPReference]:
        peer = self._settings.peer_named(peer_name)
        if peer is None:
            raise SendError(f"the settings name no peer {peer_name!r}")
        return send_report(
            peer,
            report.dicom,
            report.picture_dicom,
            calling_ae=self._settings.dicom.ae_title,
            tls=self._settings.tls,
        )
