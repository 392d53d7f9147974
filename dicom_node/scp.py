"""The Storage SCP: listens, lets in whom it should, and gives each instance to the spool.

It is also where peers report on the storage commitment that they were asked for.
"""

import itertools
import logging
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dicom_node.admission import VERIFICATION, Admission
from dicom_node.commitment_report import IncomingReport
from dicom_node.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_node.pressure import Pressure
from dicom_node.receiver_events import (
    AssociationAccepted,
    AssociationEnded,
    CommitmentReported,
    Tell,
)
from dicom_node.retrieving.awaited import Awaited
from dicom_node.settings import Settings
from dicom_node.sop_classes import reporting_contexts
from dicom_node.spool import Spool
from dicom_node.storing import (
    OUT_OF_RESOURCES,
    SOP_CLASS_NOT_SUPPORTED,
    IncomingInstance,
    Sender,
)
from dicom_node.tls import server_context
from dicom_node.tls_faults import handshake_fault
from dicom_node.upper_layer.association import (
    Answer,
    Association,
    EventReport,
    Identity,
    StoreRequest,
)
from dicom_node.upper_layer.command import CommandError
from dicom_node.upper_layer.items import ProtocolError
from dicom_node.upper_layer.listener import Connection, Listener
from dicom_node.upper_layer.pdu import AssociateRequest, Rejection

log = logging.getLogger(__name__)

US = Identity(IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME)
MB = 1e6
NOT_YET_ASSOCIATED = 1000
"""Connections, beside the associations, that may still be silent or waiting to be refused."""

Contexts = Mapping[str, Sequence[str]]
"""Transfer syntaxes by SOP class, the preferred first."""


class PortTakenError(Exception):
    """The SCP cannot listen where the settings say; the message names the address and remedy."""


def start_scp(
    settings: Settings,
    contexts: Contexts,
    spool: Spool,
    tell: Tell,
    *,
    queue_is_full: Callable[[], bool] = lambda: False,
) -> "Scp":
    """Listens and receives in threads of its own until the returned SCP is shut down.

    Args:
        settings: where to listen, whom to let in, and how much.
        contexts: what is accepted.
        spool: where instances go.
        tell: hears what happens; called from many threads.
        queue_is_full: whether too many studies wait for the worker.

    Raises:
        PortTakenError: the address is taken or not ours.
        dicom_node.tls.TlsError: the files of the TLS settings cannot be used.
    """
    scp = Scp(settings, contexts, spool, tell, queue_is_full)
    doors: list[tuple[int | None, ssl.SSLContext | None]] = [(settings.dicom.port, None)]
    if settings.tls.port is not None:
        doors.append((settings.tls.port, server_context(settings.tls)))
    try:
        for port, tls in doors:
            if port is not None:
                scp.listen(port, tls)
    except PortTakenError:
        scp.shutdown()
        raise
    return scp


class Scp:
    """What all connections share; ``shutdown`` ends them."""

    def __init__(
        self,
        settings: Settings,
        contexts: Contexts,
        spool: Spool,
        tell: Tell,
        queue_is_full: Callable[[], bool],
    ) -> None:
        self.dicom = settings.dicom
        self.committing = [peer for peer in settings.peers if peer.storage_commitment]
        self.contexts = contexts
        self.spool = spool
        self.tell = tell
        self.pressure = Pressure(spool.folder, settings.pressure.min_free_gb, queue_is_full)
        self.admission = Admission(
            settings.dicom, settings.peers, self.pressure.reason, lambda: len(self._associations)
        )
        self._awaited = Awaited(spool.folder) if settings.fetches_by_move else None
        self._numbers = itertools.count(1)
        self._associations: set[int] = set()
        self._admitting = threading.Lock()
        self._listeners: list[Listener] = []

    def listen(self, port: int, tls: ssl.SSLContext | None) -> None:
        """Opens one port, with TLS or without.

        Raises:
            PortTakenError: the address is taken or not ours.
        """
        try:
            listener = Listener(
                (self.dicom.bind, port),
                lambda connection: self._serve(connection, tls),
                most=self.dicom.max_associations + NOT_YET_ASSOCIATED,
                patience_s=self.dicom.request_timeout_s,
            )
        except OSError as fault:
            raise PortTakenError(
                f"cannot listen on {self.dicom.bind}:{port}: {fault.strerror}. Stop what listens "
                f"there (perhaps another node), or set {'tls' if tls else 'dicom'}.port to a free "
                "one."
            ) from fault
        self._listeners.append(listener)

    def shutdown(self) -> None:
        """Stops listening, ends all connections, and waits for their threads."""
        for listener in self._listeners:
            listener.shutdown()

    def admit(self, request: AssociateRequest, visit: "_Visit") -> Rejection | None:
        """Why a requestor is not let in; otherwise its association counts from now on."""
        with self._admitting:
            rejection = self.admission.decide(request, visit.connection.address)
            if rejection is None:
                self._associations.add(visit.number)
        if rejection is not None:
            log.warning(
                "association refused: %r at %s: %s",
                *(request.calling, visit.connection.address, rejection.words),
            )
            return rejection
        self.tell(AssociationAccepted(visit.number, request.calling, visit.connection.address))
        return None

    def reporting_contexts(self, calling: str, address: str) -> Contexts:
        """What a requestor may be the SCP of: a peer that is asked for storage commitment."""
        asked = any(
            peer.ae_title == calling and peer.may_call_from(address) for peer in self.committing
        )
        return reporting_contexts() if asked else {}

    def place_for(self, request: StoreRequest) -> Path | None:
        """Where an instance is to be put that we asked for by C-MOVE; None for any other."""
        if self._awaited is None or request.move_originator not in ("", self.dicom.ae_title):
            return None
        return self._awaited.place_for(request.sop_instance_uid)

    def _serve(self, connection: Connection, tls: ssl.SSLContext | None) -> None:
        visit = _Visit(self, connection, next(self._numbers))
        outcome = "broken"
        try:
            outcome = self._talk(visit, tls)
        finally:
            self._associations.discard(visit.number)
            self.tell(AssociationEnded(visit.number, outcome))

    def _talk(self, visit: "_Visit", tls: ssl.SSLContext | None) -> str:
        """Serves a connection to its end; whatever its peer does, it ends in one word."""
        if tls is not None and not self._handshake(visit.connection, tls):
            return "rejected"
        try:
            return Association(visit.connection.socket, visit, US).run()
        except (ProtocolError, CommandError) as fault:
            log.warning("association with %s aborted: %s", visit.named, fault)
            return "aborted"
        except TimeoutError:
            log.warning("association with %s was silent too long and is ended", visit.named)
            return "timed out"
        except OSError as fault:
            return self._broken(visit, fault)

    @staticmethod
    def _handshake(connection: Connection, tls: ssl.SSLContext) -> bool:
        try:
            connection.socket = tls.wrap_socket(
                connection.socket, server_side=True, do_handshake_on_connect=False
            )
            connection.socket.do_handshake()
        except OSError as fault:
            why = "it did not complete the TLS handshake in time"
            why = why if connection.overdue else handshake_fault(fault)
            log.warning("TLS connection from %s refused: %s", connection.address, why)
            return False
        return True

    @staticmethod
    def _broken(visit: "_Visit", fault: OSError) -> str:
        if visit.connection.overdue:
            log.warning("connection from %s asked for no association in time", visit.named)
            return "timed out"
        log.log(
            logging.WARNING if visit.calling else logging.DEBUG,
            *("connection with %s broke: %s", visit.named, fault),
        )
        return "broken"


@dataclass
class _Visit:
    """One connection, and what it is offered (an ``upper_layer.association.Service``)."""

    scp: Scp
    connection: Connection
    number: int
    calling: str = ""

    @property
    def contexts(self) -> Contexts:
        return self.scp.contexts

    @property
    def reporting_contexts(self) -> Contexts:
        return self.scp.reporting_contexts(self.calling, self.connection.address)

    @property
    def max_pdu(self) -> int:
        return self.scp.dicom.max_pdu

    @property
    def named(self) -> str:
        return (
            f"{self.calling!r} at {self.connection.address}"
            if self.calling
            else (self.connection.address)
        )

    def admit(self, request: AssociateRequest) -> Rejection | None:
        rejection = self.scp.admit(request, self)
        if rejection is None:
            self.calling = request.calling
            self.connection.deadline = None
            self.connection.socket.settimeout(self.scp.dicom.idle_timeout_s)
        return rejection

    def store(self, request: StoreRequest) -> IncomingInstance:
        return IncomingInstance(
            request,
            Sender(self.number, self.calling),
            self.scp.spool,
            longest=self.scp.dicom.max_instance_mb * MB,
            tell=self.scp.tell,
            refused=self._refused(request),
            place_for=self.scp.place_for,
        )

    def report(self, request: EventReport) -> IncomingReport:
        return IncomingReport(
            request,
            self.calling,
            lambda result: self.scp.tell(CommitmentReported(self.number, self.calling, result)),
        )

    def _refused(self, request: StoreRequest) -> Answer | None:
        if request.sop_class_uid not in self.contexts or request.sop_class_uid == VERIFICATION:
            # a context that was accepted for another class is no way in
            return Answer(SOP_CLASS_NOT_SUPPORTED, "this SOP class is not taken")
        why = self.scp.pressure.reason()
        return None if why is None else Answer(OUT_OF_RESOURCES, why)
