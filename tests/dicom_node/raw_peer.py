"""A requestor that sends any bytes, and reads what is answered PDU by PDU (PS3.8 9.3)."""

import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any, NamedTuple

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, ComputedRadiographyImageStorage, ExplicitVRLittleEndian
from pynetdicom.sop_class import Verification

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ = 1, 2, 3
P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = 4, 5, 6, 7

VERIFICATION, CR = str(Verification), str(ComputedRadiographyImageStorage)
EXPLICIT = str(ExplicitVRLittleEndian)
COMMITMENT, COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
"""Storage Commitment Push Model and its well-known instance (PS3.4 J.3.5)."""

ECHO_CONTEXT, STORE_CONTEXT, REPORT_CONTEXT = 1, 3, 5

COMMAND, LAST_COMMAND, DATA, LAST_DATA = 1, 3, 0, 2
"""Message control headers (PS3.8 E.2)."""

PATIENCE_S = 20.0


class Pdu(NamedTuple):
    """A PDU's type and what follows its length."""

    kind: int
    body: bytes


def pdu(kind: int, body: bytes = bytes(4), length: int | None = None) -> bytes:
    """A PDU, which may lie about its length."""
    return struct.pack(">BxI", kind, len(body) if length is None else length) + body


def item(kind: int, value: bytes, length: int | None = None) -> bytes:
    """An item of A-ASSOCIATE-RQ, which may lie about its length."""
    return struct.pack(">BxH", kind, len(value) if length is None else length) + value


def proposed(context_id: int, abstract: str, *transfer: str) -> bytes:
    """A presentation context item (PS3.8 9.3.2.2)."""
    syntaxes = b"".join(item(0x40, uid.encode()) for uid in transfer)
    return item(0x20, bytes((context_id, 0, 0, 0)) + item(0x30, abstract.encode()) + syntaxes)


def role(uid: str, scu: int, scp: int, length: int | None = None) -> bytes:
    """A role selection sub-item (PS3.7 table D.3-9), which may lie about the UID's length."""
    size = len(uid) if length is None else length
    return item(0x54, struct.pack(">H", size) + uid.encode() + bytes((scu, scp)))


OFFERS = (
    proposed(ECHO_CONTEXT, VERIFICATION, EXPLICIT),
    proposed(STORE_CONTEXT, CR, EXPLICIT),
)


def associate_rq(
    *contexts: bytes,
    called: bytes = b"LIKENESS",
    calling: bytes = b"SENDER",
    version: int = 1,
    application: str = "1.2.840.10008.3.1.1.1",
    max_length: int = 16384,
    user: bytes = b"",
) -> bytes:
    """An A-ASSOCIATE-RQ (PS3.8 9.3.2); ``user`` are further sub-items of the user information."""
    user_information = item(0x51, struct.pack(">I", max_length)) + item(0x52, b"1.2.3") + user
    body = b"".join(
        (
            struct.pack(">HH16s16s32x", version, 0, called.ljust(16), calling.ljust(16)),
            item(0x10, application.encode()),
            *(contexts or OFFERS),
            item(0x50, user_information),
        )
    )
    return pdu(ASSOCIATE_RQ, body)


def pdv(context_id: int, control: int, fragment: bytes, length: int | None = None) -> bytes:
    """A presentation data value (PS3.8 9.3.5.1), which may lie about its length."""
    size = len(fragment) + 2 if length is None else length
    return struct.pack(">IBB", size, context_id, control) + fragment


def p_data(*values: bytes) -> bytes:
    """A P-DATA-TF."""
    return pdu(P_DATA, b"".join(values))


def command_set(elements: Mapping[int, bytes | int]) -> bytes:
    """A command set (PS3.7 6.3.1); numbers are of VR US."""
    body = b""
    for element, value in sorted(elements.items()):
        encoded = struct.pack("<H", value) if isinstance(value, int) else value
        body += struct.pack("<HHI", 0, element, len(encoded)) + encoded
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def uid_value(uid: str) -> bytes:
    """A UID, padded to even length (PS3.5 9.4)."""
    return uid.encode() + b"\0" * (len(uid) % 2)


def echo_rq(message_id: int = 1) -> bytes:
    """A C-ECHO-RQ (PS3.7 9.3.5.1)."""
    return command_set(
        {0x0002: uid_value(VERIFICATION), 0x0100: 0x0030, 0x0110: message_id, 0x0800: 0x0101}
    )


def store_rq(instance: str, message_id: int = 1, **changes: bytes | int | None) -> bytes:
    """A C-STORE-RQ (PS3.7 9.3.1.1); ``x0110=None`` leaves (0000,0110) out."""
    elements: dict[int, bytes | int] = {
        0x0002: uid_value(CR),
        0x0100: 0x0001,
        0x0110: message_id,
        0x0700: 0,
        0x0800: 0x0001,
        0x1000: uid_value(instance),
    }
    return command_set(_changed(elements, changes))


def _changed(
    elements: dict[int, bytes | int], changes: Mapping[str, bytes | int | None]
) -> dict[int, bytes | int]:
    for name, value in changes.items():
        elements.pop(int(name[1:], 16), None)
        if value is not None:
            elements[int(name[1:], 16)] = value
    return elements


def event_report_rq(**changes: bytes | int | None) -> bytes:
    """An N-EVENT-REPORT-RQ of Storage Commitment (PS3.7 10.3.1.1); ``changes`` as above."""
    elements: dict[int, bytes | int] = {
        0x0002: uid_value(COMMITMENT),
        0x0100: 0x0100,
        0x0110: 1,
        0x0800: 0x0001,
        0x1000: uid_value(COMMITMENT_INSTANCE),
        0x1002: 1,
    }
    return command_set(_changed(elements, changes))


def echo(message_id: int = 1) -> bytes:
    """A whole C-ECHO request as it travels."""
    return p_data(pdv(ECHO_CONTEXT, LAST_COMMAND, echo_rq(message_id)))


def store(instance: str, data: bytes, *, message_id: int = 1, piece: int = 16000) -> bytes:
    """A whole C-STORE request as it travels, a PDU for each ``piece`` of the data set."""
    request = p_data(pdv(STORE_CONTEXT, LAST_COMMAND, store_rq(instance, message_id)))
    return request + b"".join(data_pdus(data, piece))


def data_pdus(data: bytes, piece: int) -> Iterator[bytes]:
    """The P-DATA-TF PDUs of a data set."""
    for start in range(0, len(data), piece):
        last = start + piece >= len(data)
        control = LAST_DATA if last else DATA
        yield p_data(pdv(STORE_CONTEXT, control, data[start : start + piece]))


class RawPeer:
    """The requestor's end of a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.socket.settimeout(PATIENCE_S)

    def send(self, *data: bytes) -> None:
        """Sends the bytes as they are."""
        self.socket.sendall(b"".join(data))

    def half_close(self) -> None:
        """Sends nothing more."""
        self.socket.shutdown(socket.SHUT_WR)

    def read(self) -> Pdu | None:
        """The next PDU that comes; None at the end of the connection, however it ends."""
        head = self._exactly(6)
        if head is None:
            return None
        kind, length = struct.unpack(">BxI", head)
        body = self._exactly(length)
        return None if body is None else Pdu(kind, body)

    def rest(self) -> list[Pdu]:
        """Every PDU until the connection ends."""
        return list(iter(self.read, None))

    def _exactly(self, size: int) -> bytes | None:
        data = b""
        while len(data) < size:
            try:
                more = self.socket.recv(size - len(data))
            except ConnectionError:
                return None
            if not more:
                return None
            data += more
        return data

    def associate(self, request: bytes | None = None) -> None:
        """Opens an association, which must be accepted."""
        self.send(request or associate_rq())
        answer = self.read()
        assert answer is not None
        assert answer.kind == ASSOCIATE_AC, answer

    def response(self) -> Dataset:
        """The next command set, read by pydicom."""
        command, control = b"", 0
        while control != LAST_COMMAND:
            answer = self.read()
            assert answer is not None, "the connection ended instead of a response"
            assert answer.kind == P_DATA, answer
            (size, _, control) = struct.unpack_from(">IBB", answer.body)
            assert size == len(answer.body) - 4
            command += answer.body[6:]
        return decoded(command)

    def statuses(self, count: int) -> list[int]:
        """The status of each of the next responses."""
        return [int(self.response().Status) for _ in range(count)]

    def release(self) -> None:
        """Ends the association as it should be."""
        self.send(pdu(RELEASE_RQ))
        assert self.read() == Pdu(RELEASE_RP, bytes(4))


def decoded(command: bytes) -> Dataset:
    """A command set, read by pydicom."""
    return dcmread(BytesIO(command), force=True)


@contextmanager
def raw_peer(port: int) -> Iterator[RawPeer]:
    """A connection to the port of this machine, without an association."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield RawPeer(connection)


def answer_to_request(port: int, **request: Any) -> Pdu | None:
    """What comes for an A-ASSOCIATE-RQ, made by ``associate_rq``; the connection ends there.

    By bytes: pynetdicom takes a rejection for an abort where its own thread comes too late.
    """
    with raw_peer(port) as peer:
        peer.send(associate_rq(**request))
        return peer.read()


@contextmanager
def associated(port: int, request: bytes | None = None) -> Iterator[RawPeer]:
    """An association, which the block may end."""
    with raw_peer(port) as peer:
        peer.associate(request)
        yield peer


def store_all(port: int, instances: Sequence[tuple[str, bytes]]) -> list[int]:
    """Sends instances over one association, one after the other; returns their statuses."""
    with associated(port) as peer:
        found = []
        for instance, data in instances:
            peer.send(store(instance, data))
            found += peer.statuses(1)
        peer.release()
    return found


def answers_echo(port: int) -> bool:
    """Whether the node answers C-ECHO with Success."""
    with associated(port, associate_rq(OFFERS[0])) as peer:
        peer.send(echo())
        (status,) = peer.statuses(1)
        peer.release()
    return status == 0x0000


def uid_of(number: int) -> UID:
    """A UID for tests."""
    return UID(f"1.2.826.0.1.9.{number}")
