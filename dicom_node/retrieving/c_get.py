"""Instances by C-GET: they come on the association on which they are asked for (PS3.4 C.4.3)."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydicom.uid import UID
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import PresentationContext

from dicom_node.retrieving.arrived import checked, new_file
from dicom_node.retrieving.association import KeptAssociation
from dicom_node.retrieving.retriever import RetrieveError, RetrieverAwayError, WantedInstance
from dicom_node.settings import Peer, Settings
from dicom_node.sop_classes import IMAGE_STORAGE, get_contexts, most_classes
from dicom_node.spool import file_meta
from dicom_node.storing import NOT_OF_ITS_SOP_CLASS, OUT_OF_RESOURCES, SUCCESS


class CGetRetriever:
    """Fetches by C-GET from one peer (a ``Retriever``).

    An association has room for some storage classes only, in all transfer syntaxes: those asked
    for last are proposed.

    Args:
        peer, settings, stop: as for ``KeptAssociation``.
        decodable: transfer syntaxes that ``encoders.self_test`` proved, at least one.
    """

    def __init__(
        self, peer: Peer, settings: Settings, decodable: Sequence[UID], stop: threading.Event
    ) -> None:
        self._peer = peer
        self._decodable = decodable
        self._association = KeptAssociation(peer, settings, stop)
        self._classes: tuple[UID, ...] = ()

    def close(self) -> None:
        """Ends the association."""
        self._association.close()

    def fetch(self, wanted: WantedInstance, into: Path) -> Path:
        """As ``Retriever`` has it."""
        who = self._association.who
        self._want_class(UID(wanted.sop_class_uid))
        contexts = get_contexts(self._classes, self._decodable)
        incoming = _Incoming(wanted, into, self._peer.ae_title)
        try:
            outcome = self._association.ask(wanted, contexts, store=incoming.take)
        except RetrieveError:
            incoming.discard()
            raise
        if incoming.path is not None:
            return checked(incoming.path, wanted, who)
        raise incoming.fault(who) or outcome.why(who)

    def _want_class(self, sop_class: UID) -> None:
        if sop_class not in IMAGE_STORAGE:
            raise RetrieveError(f"{sop_class.name} is no SOP class of images that this node takes")
        if sop_class not in self._classes:
            self._classes = (sop_class, *self._classes)[: most_classes(self._decodable)]


class _Incoming:
    """Takes in what a peer sends for one request."""

    def __init__(self, wanted: WantedInstance, into: Path, calling_ae: str) -> None:
        self._wanted = wanted
        self._into = into
        self._calling_ae = calling_ae
        self._disk: OSError | None = None
        self._other: str | None = None
        self.path: Path | None = None

    def take(self, context: PresentationContext, request: C_STORE) -> int:
        """Writes the instance that is wanted, and refuses every other; returns the status."""
        instance = str(request.AffectedSOPInstanceUID)
        if instance != self._wanted.sop_instance_uid:
            self._other = instance
            return NOT_OF_ITS_SOP_CLASS
        self.discard()  # it was sent before, or on an association that dropped
        head = file_meta(
            sop_class_uid=str(request.AffectedSOPClassUID),
            sop_instance_uid=instance,
            transfer_syntax_uid=str(context.transfer_syntax[0]),
            calling_ae=self._calling_ae,
        )
        return self._write(head, request.DataSet)

    def _write(self, head: bytes, data_set: Any) -> int:
        self.path = new_file(self._into)
        try:
            with self.path.open("xb") as file:
                file.write(head)
                file.write(data_set.getbuffer())
        except OSError as fault:
            self._disk = fault
            self.discard()
            return OUT_OF_RESOURCES
        return SUCCESS

    def discard(self) -> None:
        """Removes what was written."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
        self.path = None

    def fault(self, who: str) -> RetrieveError | None:
        """Why nothing was taken in of what came; None if nothing did."""
        if self._disk is not None:
            return RetrieverAwayError(f"{self._into} cannot be written: {self._disk.strerror}")
        if self._other is not None:
            other = f"{who}: gave another instance than it was asked for: {self._other}"
            return RetrieveError(other)
        return None
