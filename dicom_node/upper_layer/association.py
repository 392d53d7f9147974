"""One association as its acceptor: negotiation, DIMSE services, release (PS3.8 9, PS3.7 9, 10).

C-ECHO and C-STORE are taken as their SCP, and N-EVENT-REPORT where the requestor is the SCP of a
SOP class by role selection (PS3.7 D.3.3.4).

A data set is handed on fragment by fragment as it comes off the socket, so that an instance of
any size takes some hundred kilobytes here.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader
from socket import socket
from typing import Protocol

from dicom_node.upper_layer import command as dimse
from dicom_node.upper_layer import pdu
from dicom_node.upper_layer.command import CommandError
from dicom_node.upper_layer.items import ProtocolError
from dicom_node.upper_layer.pdu import AssociateRequest, ContextResult, Rejection, RoleSelection

CHUNK = 1 << 18
"""What is read at most in one go, in bytes."""

SUCCESS = 0x0000
UNRECOGNIZED_OPERATION = 0x0211
MISTYPED_ARGUMENT = 0x0212

_HEAD = struct.Struct(">BxI")
_PDV = struct.Struct(">IBB")
_RESERVED = 4
"""Bytes that follow the head of an A-RELEASE-RQ (PS3.8 9.3.6)."""
_TLS_HANDSHAKE = 0x16
_SLOPPY = 6
"""Some count the six bytes of the PDU's head, some do not (PS3.8 D.1 means the variable field)."""


@dataclass(frozen=True)
class Context:
    """An accepted presentation context; ``they_serve`` where the requestor is the SCP in it."""

    abstract_syntax: str
    transfer_syntax: str
    they_serve: bool = False


@dataclass(frozen=True)
class StoreRequest:
    """What a C-STORE-RQ says of the instance that follows; the UIDs are the network's.

    ``move_originator`` is the AE title of whoever asked for it by C-MOVE (PS3.7 9.1.1.1.6); empty
    where nobody did, or the peer does not say.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    move_originator: str = ""


@dataclass(frozen=True)
class EventReport:
    """What an N-EVENT-REPORT-RQ says of the event information that follows (PS3.7 10.3.1.1)."""

    sop_class_uid: str
    sop_instance_uid: str
    event_type: int
    transfer_syntax: str


@dataclass(frozen=True)
class Answer:
    """The status of a response, and what its Error Comment says."""

    status: int
    comment: str = ""


class Sink(Protocol):
    """Takes in one data set. Nothing that it does may raise."""

    def write(self, piece: bytes) -> None:
        """Takes the next piece of the data set."""

    def finish(self) -> Answer:
        """The data set is complete: what to answer (PS3.4 B.2.3, PS3.7 10.1.1.1.8)."""

    def discard(self) -> None:
        """The rest will not come."""


class Service(Protocol):
    """What an acceptor offers on one connection, and decides."""

    @property
    def contexts(self) -> Mapping[str, Sequence[str]]:
        """The transfer syntaxes taken, the preferred first, by abstract syntax."""

    @property
    def reporting_contexts(self) -> Mapping[str, Sequence[str]]:
        """The same for what the requestor may be the SCP of; asked once it is admitted."""

    @property
    def max_pdu(self) -> int:
        """The longest variable field of a P-DATA-TF that is taken, in bytes."""

    def admit(self, request: AssociateRequest) -> Rejection | None:
        """Why a requestor is not let in; None lets it in."""

    def store(self, request: StoreRequest) -> Sink:
        """Where the instance goes that a C-STORE request announces."""

    def report(self, request: EventReport) -> Sink:
        """Where the event information goes that an N-EVENT-REPORT request announces."""


@dataclass(frozen=True)
class Identity:
    """Who the acceptor says it is (PS3.7 D.3.3.2)."""

    class_uid: str
    version_name: str


class Association:
    """A connection from its first byte to its last."""

    def __init__(self, connection: socket, service: Service, identity: Identity) -> None:
        self._socket = connection
        self._file = BufferedReader(connection.makefile("rb", buffering=0), CHUNK)
        self._service = service
        self._identity = identity
        self._contexts: dict[int, Context] = {}
        self._their_max = 0
        self._command = bytearray()
        self._awaited: tuple[int, dict[int, bytes]] | None = None
        self._sink: Sink | None = None

    def run(self) -> str:
        """Serves until the association ends; returns how: one of "rejected", "released", "aborted".

        Raises:
            ProtocolError, CommandError: the peer broke the protocol, and was sent an A-ABORT.
            OSError: the connection broke, or nothing came in time.
        """
        try:
            if not self._negotiate():
                return "rejected"
            while True:
                ended = self._next_pdu()
                if ended is not None:
                    return ended
        except (ProtocolError, CommandError):
            self._socket.sendall(pdu.encode_abort(2, 0))
            raise
        finally:
            if self._sink is not None:
                self._sink.discard()
            self._file.close()

    def _negotiate(self) -> bool:
        kind, length = self._head()
        if kind == _TLS_HANDSHAKE:
            raise ProtocolError("it speaks TLS to the port without TLS")
        if kind != pdu.ASSOCIATE_RQ or length > pdu.LONGEST_ASSOCIATE_RQ:
            raise ProtocolError("it does not begin with an A-ASSOCIATE-RQ")
        request = pdu.decode_associate_rq(self._exactly(length))
        rejection = self._service.admit(request)
        if rejection is not None:
            self._socket.sendall(pdu.encode_associate_rj(rejection))
            return False
        self._their_max = request.max_length
        results = [self._result(request, proposed) for proposed in request.contexts]
        self._socket.sendall(
            pdu.encode_associate_ac(
                request,
                results,
                max_length=self._service.max_pdu,
                implementation_class_uid=self._identity.class_uid,
                implementation_version=self._identity.version_name,
                roles=self._accepted_roles(),
            )
        )
        return True

    def _result(self, request: AssociateRequest, proposed: pdu.ProposedContext) -> ContextResult:
        abstract, reported = proposed.abstract_syntax, self._service.reporting_contexts
        they_serve = abstract in reported and request.proposes_scp(abstract)
        ours = (reported if they_serve else self._service.contexts).get(abstract)
        if ours is None:
            return ContextResult(proposed.context_id, 3, "")
        taken = next((uid for uid in ours if uid in proposed.transfer_syntaxes), None)
        if taken is None:
            return ContextResult(proposed.context_id, 4, "")
        self._contexts[proposed.context_id] = Context(abstract, taken, they_serve)
        return ContextResult(proposed.context_id, 0, taken)

    def _accepted_roles(self) -> list[RoleSelection]:
        """Without an answer the default roles hold: they are the SCU (PS3.7 D.3.3.4)."""
        served = {entry.abstract_syntax for entry in self._contexts.values() if entry.they_serve}
        return [RoleSelection(uid, scu=False, scp=True) for uid in sorted(served)]

    def _next_pdu(self) -> str | None:
        kind, length = self._head()
        if kind == pdu.DATA_TF:
            if length > self._service.max_pdu + _SLOPPY:
                raise ProtocolError(f"a P-DATA-TF of {length} bytes is longer than we announced")
            self._data(length)
            return None
        if kind == pdu.RELEASE_RQ:
            # closing with its reserved bytes unread would reset the connection, and our answer
            # might be lost with it
            self._exactly(min(length, _RESERVED))
            self._socket.sendall(pdu.encode_release_rp())
            return "released"
        if kind == pdu.ABORT:
            return "aborted"
        raise ProtocolError(f"PDU type {kind:02X}H is not expected here")

    def _data(self, length: int) -> None:
        """One P-DATA-TF: presentation data values, each a fragment (PS3.8 9.3.5, E.2)."""
        while length:
            if length < _PDV.size:
                raise ProtocolError("a presentation data value ends too soon")
            size, context_id, control = _PDV.unpack(self._exactly(_PDV.size))
            if not 2 <= size <= length - 4 or context_id not in self._contexts:
                raise ProtocolError("a presentation data value does not fit")
            length -= 4 + size
            fragment = self._exactly(size - 2)
            last = bool(control & 2)
            if control & 1:
                self._command_fragment(context_id, fragment, last=last)
            else:
                self._data_fragment(context_id, fragment, last=last)

    def _command_fragment(self, context_id: int, fragment: bytes, *, last: bool) -> None:
        if self._awaited or len(self._command) + len(fragment) > dimse.LONGEST_COMMAND:
            raise ProtocolError("a command came where a data set was due, or is too long")
        self._command += fragment
        if not last:
            return
        command = dimse.decode_command(bytes(self._command))
        self._command.clear()
        if dimse.number(command, dimse.COMMAND_DATA_SET_TYPE) == dimse.NO_DATA_SET:
            self._without_data(context_id, command)
        else:
            self._sink = self._sink_for(context_id, command)
            self._awaited = (context_id, command)

    def _without_data(self, context_id: int, command: Mapping[int, bytes]) -> None:
        field = dimse.number(command, dimse.COMMAND_FIELD)
        sink = self._sink_for(context_id, command) if field == dimse.N_EVENT_REPORT_RQ else None
        if field == dimse.C_ECHO_RQ:
            self._answer(context_id, command, Answer(SUCCESS))
        elif field == dimse.C_STORE_RQ:
            self._answer(context_id, command, Answer(MISTYPED_ARGUMENT, "no data set follows"))
        elif sink is not None:
            self._answer(context_id, command, sink.finish())
        elif field != dimse.C_CANCEL_RQ and not field & dimse.RESPONSE:
            self._answer(context_id, command, Answer(UNRECOGNIZED_OPERATION))

    def _sink_for(self, context_id: int, command: Mapping[int, bytes]) -> Sink | None:
        context = self._contexts[context_id]
        awaited = dimse.N_EVENT_REPORT_RQ if context.they_serve else dimse.C_STORE_RQ
        if dimse.number(command, dimse.COMMAND_FIELD) != awaited:
            return None
        dimse.number(command, dimse.MESSAGE_ID)  # without one, no answer could be sent
        sop_class = dimse.uid(command, dimse.AFFECTED_SOP_CLASS_UID)
        instance = dimse.uid(command, dimse.AFFECTED_SOP_INSTANCE_UID)
        if context.they_serve:
            event = dimse.number(command, dimse.EVENT_TYPE_ID)
            report = EventReport(sop_class, instance, event, context.transfer_syntax)
            return self._service.report(report)
        originator = dimse.title(command, dimse.MOVE_ORIGINATOR_AE_TITLE)
        request = StoreRequest(sop_class, instance, context.transfer_syntax, originator)
        return self._service.store(request)

    def _data_fragment(self, context_id: int, fragment: bytes, *, last: bool) -> None:
        if self._awaited is None or self._awaited[0] != context_id:
            raise ProtocolError("a data set came without its command")
        if self._sink is not None:
            self._sink.write(fragment)
        if not last:
            return
        (_, command), self._awaited = self._awaited, None
        sink, self._sink = self._sink, None
        answer = Answer(UNRECOGNIZED_OPERATION) if sink is None else sink.finish()
        self._answer(context_id, command, answer)

    def _answer(self, context_id: int, command: Mapping[int, bytes], answer: Answer) -> None:
        response = dimse.encode_response(command, answer.status, answer.comment)
        self._socket.sendall(pdu.encode_command(context_id, response, self._their_max))

    def _head(self) -> tuple[int, int]:
        kind, length = _HEAD.unpack(self._exactly(_HEAD.size))
        return kind, length

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise ConnectionResetError("the connection ended without a release")
        return data
