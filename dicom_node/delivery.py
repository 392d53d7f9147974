"""Sends reports to the peers that are to have them, again and again until they do."""

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Engine, Row
from sqlalchemy.engine import Connection

from dicom_node.outcomes import write_outcome
from dicom_node.queue_rounds import QueueRounds
from dicom_node.report.privacy import may_be_told
from dicom_node.report_sending import send_report
from dicom_node.scu import NoAnswerError, SendError
from dicom_node.settings import Settings
from dicom_node.silent_peers import SilentPeers
from storage import reports, sends
from storage.queue import SENDS, RetryRule
from storage.sends import SOPReference

log = logging.getLogger(__name__)


class Delivery:
    """Takes sends off the queue in the database, one at a time."""

    def __init__(self, engine: Engine, settings: Settings, *, node: str) -> None:
        self._engine = engine
        self._settings = settings
        self._node = node
        work = settings.work
        self._rule = RetryRule(work.send_attempts, work.first_wait_s)
        self._silent = SilentPeers(work.first_wait_s)

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
                resting=self._silent.resting(),
            )
            if row is None:
                return False
            if row.attempts > self._rule.attempts:
                self._give_up_deadly(connection, row)
                return True
            report = reports.load(connection, row.report_id)
            if not may_be_told(report.privacy, self._settings.report.privacy):
                self._keep_back(connection, row, report)
                return True
        try:
            taken = self._send(row.peer, report)
        except SendError as fault:
            self._silent.hear(row.peer, silent=isinstance(fault, NoAnswerError))
            self._not_sent(row, report, str(fault))
        else:
            self._silent.hear(row.peer, silent=False)
            self._sent(row, report, taken)
        return True

    def _give_up_deadly(self, connection: Connection, row: Row[*tuple[Any, ...]]) -> None:
        """No try is left, and the last was not written down: perhaps the node died of it."""
        why = row.reason or "each time the node ended before it had an outcome"
        reason = f"tried {row.attempts - 1} times: {why}"
        SENDS.failed(connection, row.id, reason)
        log.error("send %d to %s given up: %s", row.id, row.peer, reason)

    def _keep_back(
        self, connection: Connection, row: Row[*tuple[Any, ...]], report: reports.StoredReport
    ) -> None:
        """It names studies of other patients, which the settings forbid by now: no try helps."""
        uid = report.study_instance_uid
        reason = (
            "it was made under report.privacy 'identified', which now is 'pseudonymous': "
            f"`likeness report {uid} --send {row.peer}` sends a new one"
        )
        SENDS.failed(connection, row.id, reason)
        log.warning("report on %s not sent: %s", uid, reason)

    def _sent(
        self,
        row: Row[*tuple[Any, ...]],
        report: reports.StoredReport,
        taken: Sequence[SOPReference],
    ) -> None:
        peer = self._settings.peer_named(row.peer)
        wanted = peer is not None and peer.storage_commitment

        def write(connection: Connection) -> bool:
            sends.sent(connection, row, taken, commitment_wanted=wanted)
            return True

        if self._written(row, report, write):
            log.info("report on %s sent to %s", report.study_instance_uid, row.peer)

    def _not_sent(
        self, row: Row[*tuple[Any, ...]], report: reports.StoredReport, fault: str
    ) -> None:
        write = partial(SENDS.again, row=row, reason=fault, rule=self._rule)
        again = self._written(row, report, write)
        outcome = "will be tried again" if again else "given up; `likeness retry` sends it again"
        log.warning("report on %s not sent, %s: %s", report.study_instance_uid, outcome, fault)

    def _written(
        self,
        row: Row[*tuple[Any, ...]],
        report: reports.StoredReport,
        write: Callable[[Connection], bool],
    ) -> bool:
        what = f"report on {report.study_instance_uid} to {row.peer}"

        def give_up(connection: Connection, reason: str) -> None:
            SENDS.failed(connection, row.id, reason)

        return bool(write_outcome(self._engine, what, write, give_up))

    def _send(self, peer_name: str, report: reports.StoredReport) -> list[SOPReference]:
        peer = self._settings.peer_named(peer_name)
        if peer is None:
            raise SendError(f"the settings name no peer {peer_name!r}")
        if report.picture_sop_instance_uid is not None and report.picture_dicom is None:
            log.warning(
                "report on %s goes to %s without its picture, which was removed "
                "(report.keep_pictures_days)",
                *(report.study_instance_uid, peer_name),
            )
        return send_report(
            peer,
            report.dicom,
            report.picture_dicom,
            calling_ae=self._settings.dicom.ae_title,
            tls=self._settings.tls,
        )
