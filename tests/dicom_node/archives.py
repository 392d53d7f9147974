"""An archive that commits to what it stored, or not: pynetdicom as SCP of Storage Commitment."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.sop_class import StorageCommitmentPushModel

from dicom_node.scu import handle_open
from tests.dicom_node.raw_peer import COMMITMENT_INSTANCE
from tests.dicom_node.receivers import OURS, Answer


class Archive:
    """What was asked of it.

    ``answer`` is the status that it gives to N-ACTION; None aborts. ``failed`` are the Failure
    Reasons of the instances that it does not keep.
    """

    def __init__(self, *, at_once: bool) -> None:
        self.answer: Answer = 0x0000
        self.failed: dict[str, int] = {}
        self.asked: list[Dataset] = []
        self.statuses: list[int | None] = []
        self._at_once = at_once
        self._reporting: list[threading.Thread] = []

    def handlers(self) -> list[tuple[Any, ...]]:
        """For pynetdicom."""
        return [(evt.EVT_N_ACTION, self._ask), (evt.EVT_PDU_SENT, self._answered)]

    def _ask(self, event: Event) -> tuple[int | Dataset, None]:
        if self.answer is None:
            event.assoc.abort()
            return 0x0110, None
        assert (event.action_type, event.request.RequestedSOPInstanceUID) == (
            *(1, COMMITMENT_INSTANCE),
        )
        self.asked.append(event.action_information)
        return self.answer, None

    def _answered(self, event: Event) -> None:
        """Reports where it was asked, and not before its answer is sent."""
        if self._at_once and isinstance(event.pdu, P_DATA_TF) and not self._reporting:
            report = threading.Thread(target=self._report, args=(event.assoc,))
            self._reporting.append(report)
            report.start()

    def _report(self, association: Association) -> None:
        uids = [item.ReferencedSOPInstanceUID for item in self.asked[-1].ReferencedSOPSequence]
        result = result_of(
            self.asked[-1].TransactionUID,
            [uid for uid in uids if uid not in self.failed],
            self.failed,
        )
        self.statuses.append(_sent(association, result, 2 if self.failed else 1))

    def finish(self) -> None:
        """Waits for its reports to be answered."""
        for report in self._reporting:
            report.join()


@contextmanager
def archive(port: int, *, at_once: bool = False) -> Iterator[Archive]:
    """An archive that is asked on ``port``; it reports there, at once, or not by itself."""
    ae = AE(ae_title="PACS")
    ae.dimse_timeout = 5
    ae.add_supported_context(StorageCommitmentPushModel)
    made = Archive(at_once=at_once)
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=made.handlers())
    try:
        yield made
        made.finish()
    finally:
        server.shutdown()


def result_of(
    transaction_uid: str, committed: Sequence[str], failed: Mapping[str, int] | None = None
) -> Dataset:
    """Event information (PS3.4 table J.3-2)."""
    result = Dataset()
    result.TransactionUID = transaction_uid
    result.ReferencedSOPSequence = [_reference(uid) for uid in committed]
    if failed:
        result.FailedSOPSequence = [_reference(uid) for uid in failed]
        for item, reason in zip(result.FailedSOPSequence, failed.values(), strict=True):
            item.FailureReason = reason
    return result


def _reference(uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.1.9", uid
    return item


@contextmanager
def reporter(port: int, *, calling: str = "PACS", scp_role: bool = True) -> Iterator[Association]:
    """An association with our port on which the requestor is the SCP, accepted or not."""
    ae = AE(ae_title=calling)
    ae.add_requested_context(StorageCommitmentPushModel)
    association = ae.associate(
        "127.0.0.1",
        port,
        ae_title=OURS,
        ext_neg=[build_role(StorageCommitmentPushModel, scp_role=True)] if scp_role else [],
        evt_handlers=[(evt.EVT_CONN_OPEN, handle_open)],
    )
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def report(port: int, result: Dataset, *, event_type: int = 1, calling: str = "PACS") -> int | None:
    """Reports over an association of its own; the status that it gets, None if it is not heard."""
    with reporter(port, calling=calling) as association:
        return _sent(association, result, event_type) if association.is_established else None


def _sent(association: Association, result: Dataset, event_type: int) -> int | None:
    status, _ = association.send_n_event_report(
        result, event_type, StorageCommitmentPushModel, COMMITMENT_INSTANCE
    )
    found: int | None = status.get("Status")
    return found
