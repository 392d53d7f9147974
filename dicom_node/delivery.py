"""Sends reports to the peers that are to have them, again and again until they do."""

import logging
import threading

from sqlalchemy import Engine

from dicom_node import scu
from dicom_node.queue_rounds import QueueRounds
from dicom_node.settings import Settings
from storage import reports
from storage.queue import SENDS, RetryRule

log = logging.getLogger(__name__)


class Delivery:
    """Takes sends off the queue in the database, one at a time."""

    def __init__(self, engine: Engine, settings: Settings, *, node: str) -> None:
        self._engine = engine
        self._settings = settings
        self._node = node
        self._rule = RetryRule(settings.work.send_attempts, settings.work.first_wait_s)

    def run(self, stop: threading.Event) -> None:
        """Sends until told to stop."""
        rounds = QueueRounds(self._engine, SENDS, node=self._node, work_next=self.send_next)
        rounds.run("delivery", stop)

    def send_next(self) -> bool:
        """Claims one send and carries it out; False if none was due."""
        with self._engine.begin() as connection:
            row = SENDS.claim(
                connection,
                node=self._node,
                lease_s=self._settings.work.lease_s,
            )
            if row is None:
                return False
            report = reports.load(connection, row.report_id)
        fault = self._send(row.peer, report)
        with self._engine.begin() as connection:
            if fault is None:
                SENDS.done(connection, row.id)
                log.info("report on %s sent to %s", report.study_instance_uid, row.peer)
                return True
            again = SENDS.again(connection, row, fault, self._rule)
        outcome = "will be tried again" if again else "given up; `likeness retry` sends it again"
        log.warning("report on %s not sent, %s: %s", report.study_instance_uid, outcome, fault)
        return True

    def _send(self, peer_name: str, report: reports.StoredReport) -> str | None:
        peer = self._settings.peer_named(peer_name)
        if peer is None:
            return f"the settings name no peer {peer_name!r}"
        try:
            scu.send(
                peer,
                report.dicom,
                calling_ae=self._settings.dicom.ae_title,
                tls=self._settings.tls,
            )
        except scu.SendError as fault:
            return str(fault)
        return None
