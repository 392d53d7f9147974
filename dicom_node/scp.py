"""The Storage SCP: Success is answered only when the bytes are durable in the spool.

Handlers are plain functions, as pynetdicom calls them; statuses are those of PS3.4 B.2.3.
"""

import io
import logging
import socket
import zlib
from collections.abc import Sequence

from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.transport import ThreadedAssociationServer

from dicom_node.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_node.intake import Intake
from dicom_node.received import MALFORMED, UnreadableError
from dicom_node.settings import DicomSettings, Peer
from dicom_node.sop_classes import accepted_contexts
from dicom_node.spool import Spool, file_meta
from encoders.self_test import run_self_test

log = logging.getLogger(__name__)

SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700
NOT_OF_ITS_SOP_CLASS = 0xA900
CANNOT_UNDERSTAND = 0xC000
PROCESSING_FAILURE = 0x0110  # PS3.7 C.5.10, where none of PS3.4's own fits

_SERIES_INSTANCE_UID = BaseTag(0x0020000E)
_MOST_INFLATED = 1 << 20


class PortTakenError(Exception):
    """The SCP cannot listen where the settings say; the message names the address and remedy."""


def start_scp(
    settings: DicomSettings,
    peers: tuple[Peer, ...],
    spool: Spool,
    intake: Intake,
    proved: Sequence[UID] | None = None,
) -> ThreadedAssociationServer:
    """Listens and receives in threads of its own until the returned server is shut down.

    Args:
        settings, peers: where to listen, and whom to let in.
        spool, intake: what receives the instances, and what takes them in.
        proved: transfer syntaxes accepted for image storage; None takes those of a self-test.

    Raises:
        PortTakenError: the address is taken or not ours.
    """
    ae = AE(ae_title=settings.ae_title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.maximum_associations = settings.max_associations
    ae.maximum_pdu_size = 0
    ae.supported_contexts = accepted_contexts(run_self_test().proved if proved is None else proved)
    if settings.listed_peers_only:
        ae.require_calling_aet = [peer.ae_title for peer in peers]
    try:
        return ae.start_server(
            (settings.bind, settings.port), block=False, evt_handlers=_handlers(spool, intake)
        )
    except OSError as fault:
        raise PortTakenError(
            f"cannot listen on {settings.bind}:{settings.port}: {fault.strerror}. Stop what "
            "listens there (perhaps another node), or set dicom.port to a free one."
        ) from fault


def _handlers(spool: Spool, intake: Intake) -> list[evt.EventHandlerType]:
    return [
        (evt.EVT_CONN_OPEN, handle_open),
        (evt.EVT_REJECTED, handle_rejected),
        (evt.EVT_C_STORE, handle_store, [spool, intake]),
        (evt.EVT_RELEASED, handle_end, [intake]),
        (evt.EVT_ABORTED, handle_end, [intake]),
        (evt.EVT_CONN_CLOSE, handle_end, [intake]),
    ]


def handle_open(event: Event) -> None:
    """Sends small responses at once: without this, each waits 40 ms for a delayed ACK."""
    connection = event.assoc.dul.socket.socket
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def handle_rejected(event: Event) -> None:
    """Says in one line who was not let in."""
    log.warning(
        "association refused: calling AE title %r from %s is not listed or there are too many",
        event.assoc.requestor.ae_title,
        event.assoc.requestor.address,
    )


def handle_end(event: Event, intake: Intake) -> None:
    """An association that ended no longer holds its studies open."""
    intake.released(id(event.assoc))


def handle_store(event: Event, spool: Spool, intake: Intake) -> int:
    """Answers a C-STORE request; see ``store`` for what each status means."""
    try:
        return store(event, spool, intake)
    except OSError as fault:
        log.error("cannot write to the spool %s: %s", spool.folder, fault.strerror)
        return OUT_OF_RESOURCES
    except Exception:  # boundary: whatever goes wrong, the sender gets a failure status
        log.exception("C-STORE of %s failed", event.request.AffectedSOPInstanceUID)
        return PROCESSING_FAILURE


def store(event: Event, spool: Spool, intake: Intake) -> int:
    """Writes the instance to the spool.

    0x0000: durable on disk. 0xA900: the data set is another SOP class or instance than the
    request says. 0xC000: it cannot be read; the bytes are kept in quarantine with the reason.

    Raises:
        OSError: it cannot be written (answered with 0xA700; the sender should try again).
    """
    request, syntax = event.request, event.context.transfer_syntax
    data = request.DataSet.getbuffer()
    meta = file_meta(
        sop_class_uid=request.AffectedSOPClassUID,
        sop_instance_uid=request.AffectedSOPInstanceUID,
        transfer_syntax_uid=syntax,
        calling_ae=event.assoc.requestor.ae_title.strip(),
    )
    try:
        identity = read_identity(data, syntax)
    except UnreadableError as fault:
        kept = spool.quarantine(spool.put(meta, data), str(fault))
        log.warning("quarantined %s: %s", kept, fault)
        return CANNOT_UNDERSTAND
    if identity[:2] != (request.AffectedSOPClassUID, request.AffectedSOPInstanceUID):
        log.warning("refused %s: the data set says %s", request.AffectedSOPInstanceUID, identity)
        return NOT_OF_ITS_SOP_CLASS
    intake.carries(id(event.assoc), identity[2])
    intake.arrived(spool.put(meta, data))
    return SUCCESS


def read_identity(data: bytes | memoryview, transfer_syntax: UID) -> tuple[str, str, str, str]:
    """SOP Class, SOP Instance, Study and Series Instance UID, reading no further than them.

    Raises:
        UnreadableError: the data set is malformed, or lacks one of them.
    """
    try:
        if transfer_syntax == DeflatedExplicitVRLittleEndian:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, _MOST_INFLATED)
        head = read_dataset(
            io.BytesIO(data),
            transfer_syntax.is_implicit_VR,
            transfer_syntax.is_little_endian,
            stop_when=lambda tag, _vr, _length: tag > _SERIES_INSTANCE_UID,
        )
        found = tuple(
            str(head.get(keyword) or "").rstrip("\0 ")
            for keyword in (
                "SOPClassUID",
                "SOPInstanceUID",
                "StudyInstanceUID",
                "SeriesInstanceUID",
            )
        )
    except (*MALFORMED, zlib.error) as fault:
        raise UnreadableError(f"malformed data set: {type(fault).__name__}: {fault}") from fault
    if not all(found):
        raise UnreadableError("the data set lacks a SOP Class, SOP Instance, Study or Series UID")
    return found[0], found[1], found[2], found[3]
