"""A report and its picture to one peer, over one association, as far as it takes them."""

import logging
from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom.association import Association

from dicom_node.report.fallback import as_sop_class
from dicom_node.report.filing import ReportError
from dicom_node.scu import NO_TLS, SendError, associated, class_names, expect_success, named
from dicom_node.settings import Peer, TlsSettings
from dicom_node.sop_classes import (
    PICTURE_STORAGE,
    REPORT_STORAGE,
    RequestedContext,
    requested_contexts,
)
from encoders.elements import READ_ERRORS, explain
from storage.sends import SOPReference

log = logging.getLogger(__name__)


class _Document(NamedTuple):
    what: str
    dataset: Dataset


def send_report(
    peer: Peer,
    report: bytes,
    picture: bytes | None = None,
    *,
    calling_ae: str,
    tls: TlsSettings = NO_TLS,
) -> list[SOPReference]:
    """Sends a report and its picture, both DICOM files, by C-STORE; returns what was stored.

    The report goes out in its own SOP class or, where the peer does not take that, as the first of
    the plainer ones that it takes (``REPORT_STORAGE``), under a SOP Instance UID that is always the
    same for that class. Of report and picture the one that the peer takes is enough. What is not
    sent as it was made, and a warning status, is logged.

    Raises:
        SendError: the peer does not answer, takes neither, or refuses one; no TLS connection comes
            about; a file cannot be read. What was stored before may be sent again: its UIDs stay
            the same.
    """
    made = _read("the report", report)
    drawn = None if picture is None else _read("the picture", picture)
    if made.SOPClassUID not in REPORT_STORAGE:
        raise SendError(f"the report is of a SOP class that is not sent: {made.SOPClassUID}")
    contexts = proposed_contexts(made.SOPClassUID, with_picture=drawn is not None)
    with associated(peer, contexts, calling_ae=calling_ae, tls=tls) as association:
        taken = {context.abstract_syntax for context in association.accepted_contexts}
        documents = [*_as_taken(peer, made, taken), *_picture(peer, drawn, taken)]
        refusals = [fault for entry in documents if (fault := _store(peer, association, entry))]
    if refusals:
        raise SendError("; ".join(refusals))
    return [
        SOPReference(str(dataset.SOPClassUID), str(dataset.SOPInstanceUID))
        for _, dataset in documents
    ]


def _read(what: str, file: bytes) -> Dataset:
    try:
        dataset = pydicom.dcmread(BytesIO(file))
        uids = [dataset.get(keyword) for keyword in ("SOPClassUID", "SOPInstanceUID")]
    except READ_ERRORS as fault:
        raise SendError(f"{what} cannot be read as it is kept: {explain(fault)}") from fault
    if not all(uids):
        raise SendError(f"{what} as it is kept lacks its SOP Class or Instance UID")
    return dataset


def proposed_contexts(report_class: UID, *, with_picture: bool) -> list[RequestedContext]:
    """The presentation contexts for a report of a SOP class, and for a picture."""
    wanted = {*_classes_for(report_class), *([PICTURE_STORAGE] if with_picture else [])}
    return [
        entry
        for entry in requested_contexts()
        if entry.purpose == "delivery" and entry.sop_class in wanted
    ]


def _classes_for(report_class: UID) -> Sequence[UID]:
    """A report's own SOP class and those that it can be turned into, the richest first."""
    return REPORT_STORAGE[REPORT_STORAGE.index(report_class) :]


def _as_taken(peer: Peer, report: Dataset, taken: set[UID | None]) -> list[_Document]:
    own = report.SOPClassUID
    chosen = next((uid for uid in _classes_for(own) if uid in taken), None)
    if chosen is None:
        classes = class_names(_classes_for(own))
        log.warning("peer %s does not take %s: it gets the picture alone", named(peer), classes)
        return []
    if chosen == own:
        return [_Document("the report", report)]
    log.warning("peer %s does not take %s: it gets %s", named(peer), own.name, chosen.name)
    try:
        return [_Document("the report", as_sop_class(report, chosen))]
    except ReportError as fault:
        raise SendError(f"peer {named(peer)}: {fault}") from fault
    except READ_ERRORS as fault:
        what = f"the report cannot be turned into {chosen.name}"
        raise SendError(f"peer {named(peer)}: {what}: {explain(fault)}") from fault


def _picture(peer: Peer, picture: Dataset | None, taken: set[UID | None]) -> list[_Document]:
    if picture is None:
        return []
    if PICTURE_STORAGE not in taken:
        name = PICTURE_STORAGE.name
        log.warning("peer %s does not take %s: it gets the report alone", named(peer), name)
        return []
    return [_Document("the picture", picture)]


def _store(peer: Peer, association: Association, document: _Document) -> str | None:
    """Why the peer refused a document; None if it stored it.

    Raises:
        SendError: the association is broken, so that nothing more can be sent on it, or the
            document cannot be encoded.
    """
    what = f"C-STORE of {document.what}"
    try:
        # elements that nobody touched go out byte for byte where the transfer syntax is theirs
        status = association.send_c_store(document.dataset)
    except READ_ERRORS as fault:
        raise SendError(f"peer {named(peer)}: {what} failed: {explain(fault)}") from fault
    try:
        expect_success(peer, what, status)
    except SendError as fault:
        if "Status" not in status:
            raise
        return str(fault)
    return None
