"""A node's receiving half on a free port, and senders for it, which can send any bytes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import Verification

from dicom_node.intake import Intake
from dicom_node.scp import Contexts, start_scp
from dicom_node.settings import DicomSettings, Peer, Settings
from dicom_node.sop_classes import accepted_contexts
from dicom_node.spool import Spool
from encoders.self_test import run_self_test

CALLER = "SENDER"
CR = ComputedRadiographyImageStorage


@dataclass(frozen=True)
class Door:
    """Where a receiving node listens, and what lies behind it."""

    port: int
    spool: Spool
    intake: Intake

    def names(self) -> list[str]:
        """The files in the spool."""
        return list(self.spool.names())


@cache
def everything() -> Contexts:
    """What a node accepts that decodes all transfer syntaxes, as this one does."""
    return accepted_contexts(run_self_test().proved)


@contextmanager
def open_door(
    port: int, intake: Intake, spool: Spool, *peers: Peer, **settings: Any
) -> Iterator[Door]:
    """The SCP on ``port``, for as long as the block lasts."""
    whole = Settings(dicom=DicomSettings(port=port, **settings), peers=peers)
    server = start_scp(whole, everything(), spool, intake.take)
    try:
        yield Door(port, spool, intake)
    finally:
        server.shutdown()


@contextmanager
def working(intake: Intake) -> Iterator[None]:
    """The intake in a thread of its own, for as long as the block lasts."""
    stop = threading.Event()
    thread = threading.Thread(target=intake.run, args=(stop,))
    thread.start()
    try:
        yield
        assert thread.is_alive(), "the intake ended before it was told to"
    finally:
        stop.set()
        intake.adopt_again()  # wakes it
        thread.join()


def associate(
    door: Door,
    *sop_classes: str,
    calling: str = CALLER,
    called: str = "LIKENESS",
    syntax: str = ExplicitVRLittleEndian,
) -> Association:
    """An association with the node, established or not."""
    ae = AE(ae_title=calling)
    for uid in sop_classes or (CR,):
        ae.add_requested_context(uid, syntax)
    return ae.associate("127.0.0.1", door.port, ae_title=called)


@contextmanager
def association(door: Door, *sop_classes: str, **options: str) -> Iterator[Association]:
    """An established association, released at the end."""
    opened = associate(door, *sop_classes, **options)
    assert opened.is_established
    try:
        yield opened
    finally:
        opened.release()


def store(door: Door, path: Path, *, sop_class: str = CR, **options: str) -> int:
    """Sends one file on an association of its own; returns the status."""
    with association(door, sop_class, **options) as opened:
        return status(opened.send_c_store(path))


def status(response: Any) -> int:
    """The status that the node answered."""
    assert "Status" in response, "the node gave no answer"
    found: int = response.Status
    return found


def answers_echo(door: Door) -> bool:
    """Whether the node answers C-ECHO with Success."""
    with association(door, Verification) as opened:
        return status(opened.send_c_echo()) == 0x0000


def send_half(opened: Association, data: bytes, instance: str) -> None:
    """Sends a C-STORE request without its last fragment (PS3.8 Annex E)."""
    request = C_STORE()
    request.MessageID, request.Priority = 7, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CR, instance
    request.DataSet = BytesIO(data)
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    context_id = opened.accepted_contexts[0].context_id
    for fragment in list(message.encode_msg(context_id, max_pdu_length=4096))[:-1]:
        opened.dul.send_pdu(fragment)
