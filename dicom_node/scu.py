"""Associations that we request, and the Verification SCU.

``report_sending``, ``commitment_request`` and ``retrieving`` say what else goes over them.
"""

import logging
import queue
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_primitives import N_EVENT_REPORT
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation

from dicom_node.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_node.report.codes import fit
from dicom_node.settings import Peer, TlsSettings
from dicom_node.sop_classes import RequestedContext, requested_contexts
from dicom_node.tls import CallingContext, TlsError, client_context
from dicom_node.tls_faults import handshake_fault

log = logging.getLogger(__name__)

TIMEOUT_S = 30.0
CONNECT_S = 10.0
WARNINGS = range(0xB000, 0xC000)
"""PS3.4 B.2.3: stored, though with a remark (coerced, elements discarded)."""
NO_TLS = TlsSettings()
_SILENT_HANDSHAKE = handshake_fault(TimeoutError())

Handlers = Sequence[tuple[Any, ...]]
"""What pynetdicom is to call on which event."""


class SendError(Exception):
    """A peer did not take what was sent, or did not answer; the message names it and says why."""


class NoAnswerError(SendError):
    """A peer is not there, or said nothing for as long as we wait."""


class NotReachedError(NoAnswerError):
    """No association came about, for the peer is not there: nothing was asked of it."""


def echo(peer: Peer, *, calling_ae: str, tls: TlsSettings = NO_TLS) -> None:
    """Verifies a peer by C-ECHO, over TLS with the files of ``tls`` if the peer is set so.

    Raises:
        SendError: it does not answer, or not with Success; no TLS connection comes about.
    """
    contexts = [entry for entry in requested_contexts() if entry.purpose == "verification"]
    with associated(peer, contexts, calling_ae=calling_ae, tls=tls) as association:
        expect_success(peer, "C-ECHO", association.send_c_echo())


@contextmanager
def associated(
    peer: Peer,
    contexts: Sequence[RequestedContext],
    *,
    calling_ae: str,
    tls: TlsSettings,
    handlers: Handlers = (),
) -> Iterator[Association]:
    """An association with a peer that accepted one of ``contexts`` at least; released at the end.

    A peer with ``tls = true`` is called over TLS, with the files of ``tls``, or not at all.

    Raises:
        SendError: the peer does not answer, or accepts none; no TLS connection comes about.
    """
    association = _associate(peer, contexts, calling_ae, tls, handlers)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def _associate(
    peer: Peer,
    contexts: Sequence[RequestedContext],
    calling_ae: str,
    tls: TlsSettings,
    handlers: Handlers,
) -> Association:
    if not peer.has_address:
        raise SendError(f"peer {peer.name}: the settings give no host and port")
    context = _context_for(peer, tls)
    try:
        association = _our_ae(calling_ae).associate(
            peer.host,
            peer.port,
            contexts=[build_context(entry.sop_class, entry.transfer_syntax) for entry in contexts],
            ae_title=peer.ae_title,
            ext_neg=_roles(contexts),
            evt_handlers=[(evt.EVT_CONN_OPEN, handle_open), *handlers],
            tls_args=None if context is None else (context, peer.host),
        )
    except (OSError, UnicodeError) as fault:
        raise NotReachedError(f"peer {named(peer)}: its host has no address: {fault}") from fault
    if association.is_established:
        return association
    if context is not None and context.fault is not None:
        error = NotReachedError if context.fault == _SILENT_HANDSHAKE else SendError
        raise error(f"peer {named(peer)}: {context.fault}")
    if association.is_rejected:
        raise SendError(
            f"peer {named(peer)}: refuses the association; is our AE title listed there?"
        )
    if association.rejected_contexts:
        names = class_names([entry.sop_class for entry in contexts])
        raise SendError(f"peer {named(peer)}: does not take {names}")
    raise NotReachedError(
        f"peer {named(peer)}: does not answer; is it running, and are host and port right?"
    )


def _roles(contexts: Sequence[RequestedContext]) -> list[SCP_SCU_RoleSelectionNegotiation]:
    """PS3.7 D.3.3.4: without a word of it we are the SCU."""
    served = dict.fromkeys(entry.sop_class for entry in contexts if entry.as_scp)
    return [build_role(uid, scp_role=True) for uid in served]


def _our_ae(title: str) -> AE:
    ae = AE(ae_title=title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = TIMEOUT_S
    ae.connection_timeout = CONNECT_S
    return ae


def _context_for(peer: Peer, tls: TlsSettings) -> CallingContext | None:
    """Read anew for each association, so that a renewed certificate needs no restart."""
    if not peer.tls:
        return None
    try:
        return client_context(tls)
    except TlsError as fault:
        raise SendError(f"peer {named(peer)}: {fault}") from fault


def class_names(sop_classes: Sequence[UID]) -> str:
    """The names of SOP classes, each once, for a message."""
    names = list(dict.fromkeys(uid.name for uid in sop_classes))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def named(peer: Peer) -> str:
    """A peer as messages name it: where it is called, too."""
    over = " over TLS" if peer.tls else ""
    return f"{peer.name} ({peer.ae_title} at {peer.host}:{peer.port}{over})"


def handle_open(event: Event) -> None:
    """Makes ready an association that we request, before anything is sent on it."""
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _leave_responses_to_sender(event.assoc.dimse)


def _leave_responses_to_sender(dimse: DIMSEServiceProvider) -> None:
    """Keeps pynetdicom's reactor from taking the response that a sender waits for.

    The reactor looks for requests of the peer, without blocking. On a busy machine it now and
    then does so while a response arrives, drops it as "unexpected", and the sender waits in vain
    until its timeout (pynetdicom#875). Nor may a sender take the request that the reactor is for.
    """
    dimse.msg_queue = MessageQueue()


class MessageQueue(queue.Queue[tuple[Any, Any]]):
    """What arrived: an N-EVENT-REPORT for the reactor, everything else for the waiting sender.

    The only other request that we serve on associations that we request is the C-STORE that a
    C-GET leads to, and that is the sender's.
    """

    def __init__(self) -> None:
        super().__init__()
        self._reports: queue.SimpleQueue[tuple[Any, Any]] = queue.SimpleQueue()

    def put(self, item: tuple[Any, Any], block: bool = True, timeout: float | None = None) -> None:
        """Takes a presentation context identifier and the message that came in it."""
        if isinstance(item[1], N_EVENT_REPORT) and item[1].is_valid_request:
            self._reports.put(item)
        else:
            super().put(item, block, timeout)

    def get(self, block: bool = True, timeout: float | None = None) -> tuple[Any, Any]:
        """The sender waits, the reactor does not.

        Raises:
            queue.Empty: there is nothing for whoever asks.
        """
        return super().get(True, timeout) if block else self._reports.get_nowait()


def expect_success(peer: Peer, what: str, status: Dataset) -> None:
    """Lets Success pass, and a warning, which is logged; ``what`` names what was answered.

    Raises:
        SendError: there was no answer, or another.
    """
    if "Status" not in status:
        raise NoAnswerError(f"peer {named(peer)}: no answer to {what} (aborted or timed out)")
    if status.Status in WARNINGS:
        log.warning("peer %s: %s answered 0x%04X", named(peer), what, status.Status)
    elif status.Status != 0x0000:
        # the network's text: one line without control characters, for logs, terminals and database
        comment = fit(str(status.get("ErrorComment") or ""))
        answered = f"{what} answered 0x{status.Status:04X} {comment}".rstrip()
        raise SendError(f"peer {named(peer)}: {answered}")
