"""Asks a peer by N-ACTION to commit to what it stored (PS3.4 J.3.2), as SCU.

Most peers report over an association of their own, to our port; some at once on this one, which
is therefore held open for a moment.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.events import Event
from pynetdicom.pdu import P_DATA_TF

from dicom_node.commitment_report import WELL_KNOWN_INSTANCE, judge
from dicom_node.event_information import CommitmentResult
from dicom_node.scu import NO_TLS, Handlers, SendError, associated, expect_success, named
from dicom_node.settings import Peer, TlsSettings
from dicom_node.sop_classes import STORAGE_COMMITMENT, requested_contexts
from dicom_node.upper_layer.association import EventReport
from encoders.elements import READ_ERRORS, explain
from storage.sends import SOPReference

REQUEST_COMMITMENT = 1
"""Action type (PS3.4 table J.3-1)."""

LINGER_S = 1.0
"""How long a peer has to report on the association on which it was asked."""


@dataclass
class Listening:
    """Hears a peer's report, here or on an association of its own.

    Attributes:
        reported: is told what a report on this association says.
        settled: set it to have the association released: the report has come.
    """

    reported: Callable[[CommitmentResult], None]
    settled: threading.Event = field(default_factory=threading.Event)
    _answering: bool = False

    def handlers(self) -> Handlers:
        """For pynetdicom."""
        return [(evt.EVT_N_EVENT_REPORT, self._hear), (evt.EVT_PDU_SENT, self._after_sending)]

    def _hear(self, event: Event) -> tuple[int, None]:
        request = event.request
        about = EventReport(
            str(request.AffectedSOPClassUID),
            str(request.AffectedSOPInstanceUID),
            int(request.EventTypeID),
            str(event.context.transfer_syntax),
        )
        information = request.EventInformation
        answer, result = judge(about, b"" if information is None else information.getvalue())
        if result is not None:
            self.reported(result)
        self._answering = True
        return answer.status, None

    def _after_sending(self, event: Event) -> None:
        """A release before our answer is on its way would have the peer report once more."""
        if self._answering and isinstance(event.pdu, P_DATA_TF):
            self.settled.set()


def request_commitment(
    peer: Peer,
    transaction_uid: str,
    instances: Sequence[SOPReference],
    listening: Listening,
    *,
    calling_ae: str,
    tls: TlsSettings = NO_TLS,
) -> None:
    """Asks a peer to commit to ``instances``; it reports under ``transaction_uid``, now or later.

    Raises:
        NotReachedError: the peer is not there, and was not asked.
        SendError: the peer does not answer, offers no storage commitment, or refuses; no TLS
            connection comes about. Where only its answer was lost it may report all the same.
    """
    contexts = [entry for entry in requested_contexts() if entry.purpose == "storage commitment"]
    with associated(
        peer, contexts, calling_ae=calling_ae, tls=tls, handlers=listening.handlers()
    ) as association:
        try:
            status, _ = association.send_n_action(
                _action_information(transaction_uid, instances),
                REQUEST_COMMITMENT,
                STORAGE_COMMITMENT,
                WELL_KNOWN_INSTANCE,
            )
        except READ_ERRORS as fault:
            raise SendError(f"peer {named(peer)}: N-ACTION failed: {explain(fault)}") from fault
        expect_success(peer, "N-ACTION", status)
        listening.settled.wait(LINGER_S)


def _action_information(transaction_uid: str, instances: Sequence[SOPReference]) -> Dataset:
    """PS3.4 table J.3-1."""
    information = Dataset()
    information.TransactionUID = transaction_uid
    information.ReferencedSOPSequence = []
    for instance in instances:
        item = Dataset()
        item.ReferencedSOPClassUID = instance.sop_class_uid
        item.ReferencedSOPInstanceUID = instance.sop_instance_uid
        information.ReferencedSOPSequence.append(item)
    return information
