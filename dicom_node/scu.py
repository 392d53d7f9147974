"""The Storage SCU and Verification SCU: what we send to peers."""

import logging
import socket
from io import BytesIO

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.events import Event
from pynetdicom.sop_class import Verification

from dicom_node.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_node.settings import Peer, TlsSettings
from dicom_node.tls import CallingContext, TlsError, client_context

log = logging.getLogger(__name__)

TIMEOUT_S = 30.0
WARNINGS = range(0xB000, 0xC000)
"""PS3.4 B.2.3: stored, though with a remark (coerced, elements discarded)."""
NO_TLS = TlsSettings()


class SendError(Exception):
    """A peer did not take what was sent, or did not answer; the message names it and says why."""


def echo(peer: Peer, *, calling_ae: str, tls: TlsSettings = NO_TLS) -> None:
    """Verifies a peer by C-ECHO, over TLS with the files of ``tls`` if the peer is set so.

    Raises:
        SendError: it does not answer, or not with Success; no TLS connection comes about.
    """
    association = _associate(peer, calling_ae, Verification, tls)
    try:
        status = association.send_c_echo()
        _expect_success(peer, "C-ECHO", status)
    finally:
        _release(association)


def send(peer: Peer, dicom: bytes, *, calling_ae: str, tls: TlsSettings = NO_TLS) -> None:
    """Sends a DICOM file by C-STORE; a warning status counts as stored and is logged.

    A peer with ``tls = true`` is called over TLS, with the files of ``tls``, or not at all.

    Raises:
        SendError: the peer does not answer, takes no such SOP class, or refuses; no TLS
            connection comes about.
    """
    dataset = pydicom.dcmread(BytesIO(dicom))
    association = _associate(peer, calling_ae, UID(dataset.SOPClassUID), tls)
    try:
        try:
            status = association.send_c_store(dataset)
        except (ValueError, RuntimeError) as fault:
            raise SendError(f"peer {_name(peer)}: C-STORE failed: {fault}") from fault
        _expect_success(peer, "C-STORE", status)
    finally:
        _release(association)


def _associate(peer: Peer, calling_ae: str, sop_class: UID, tls: TlsSettings) -> Association:
    if not peer.has_address:
        raise SendError(f"peer {peer.name}: the settings give no host and port")
    context = _context_for(peer, tls)
    ae = AE(ae_title=calling_ae)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = TIMEOUT_S
    ae.connection_timeout = 10.0
    ae.add_requested_context(sop_class, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    try:
        association = ae.associate(
            peer.host,
            peer.port,
            ae_title=peer.ae_title,
            evt_handlers=[(evt.EVT_CONN_OPEN, handle_open)],
            tls_args=None if context is None else (context, peer.host),
        )
    except (OSError, UnicodeError) as fault:
        raise SendError(f"peer {_name(peer)}: its host has no address: {fault}") from fault
    if association.is_established:
        return association
    if context is not None and context.fault is not None:
        raise SendError(f"peer {_name(peer)}: {context.fault}")
    raise SendError(f"peer {_name(peer)}: {_why_not(association, sop_class)}")


def _context_for(peer: Peer, tls: TlsSettings) -> CallingContext | None:
    """Read anew for each association, so that a renewed certificate needs no restart."""
    if not peer.tls:
        return None
    try:
        return client_context(tls)
    except TlsError as fault:
        raise SendError(f"peer {_name(peer)}: {fault}") from fault


def _why_not(association: Association, sop_class: UID) -> str:
    if association.is_rejected:
        return "refuses the association; is our AE title listed there?"
    if association.rejected_contexts:
        return f"does not take {sop_class.name}"
    return "does not answer; is it running, and are host and port right?"


def _name(peer: Peer) -> str:
    over = " over TLS" if peer.tls else ""
    return f"{peer.name} ({peer.ae_title} at {peer.host}:{peer.port}{over})"


def handle_open(event: Event) -> None:
    """Makes ready an association that we request, before anything is sent on it."""
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _leave_responses_to_sender(event.assoc.dimse)


def _leave_responses_to_sender(dimse: DIMSEServiceProvider) -> None:
    """Keeps pynetdicom's reactor from taking the response that ``send_c_store`` waits for.

    The reactor looks for requests of the peer, of which we accept none, without blocking. On a
    busy machine it now and then does so while a response arrives, drops it as "unexpected", and
    the sender waits in vain until its timeout (pynetdicom#875).
    """
    take = dimse.get_msg
    dimse.get_msg = lambda block=False: take(block) if block else (None, None)


def _expect_success(peer: Peer, what: str, status: Dataset) -> None:
    if "Status" not in status:
        raise SendError(f"peer {_name(peer)}: no answer to {what} (aborted or timed out)")
    if status.Status in WARNINGS:
        log.warning("peer %s: %s answered 0x%04X", _name(peer), what, status.Status)
    elif status.Status != 0x0000:
        comment = status.get("ErrorComment", "")
        raise SendError(f"peer {_name(peer)}: {what} answered 0x{status.Status:04X} {comment}")


def _release(association: Association) -> None:
    if association.is_established:
        association.release()
