"""An archive that answers C-GET and C-MOVE with any bytes (PS3.7 9.3.3, 9.3.4)."""

import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from pydicom.dataset import Dataset

from dicom_node.upper_layer.pdu import ContextResult, decode_associate_rq, encode_associate_ac
from tests.dicom_node.raw_peer import (
    ABORT,
    LAST_COMMAND,
    P_DATA,
    RELEASE_RP,
    RELEASE_RQ,
    RawPeer,
    command_set,
    decoded,
    p_data,
    pdu,
    pdv,
)

GET_RESPONSE, MOVE_RESPONSE = 0x8010, 0x8021
ABORTED = pdu(ABORT)

Answer = Callable[[Dataset], Iterable[bytes]]
"""What is sent for a request, by its command set: whole PDUs, or any other bytes."""


def response(request: Dataset, status: int, *, kind: int | None = None, **counts: int) -> bytes:
    """The response to a request; ``counts`` are numbers of sub-operations, ``x1021=1`` for one.

    (0000,1021) counts the completed ones, 1022 the failed, 1023 those with a warning.
    """
    elements: dict[int, bytes | int] = {
        0x0100: kind or request.CommandField | 0x8000,
        0x0120: request.MessageID,
        0x0800: 0x0101,
        0x0900: status,
    }
    elements |= {int(name[1:], 16): count for name, count in counts.items()}
    return p_data(pdv(1, LAST_COMMAND, command_set(elements)))


def answering(status: int, **counts: int) -> Answer:
    """The same response to every request."""
    return lambda request: [response(request, status, **counts)]


@contextmanager
def raw_archive(answer: Answer) -> Iterator[int]:
    """Accepts every context, each in the first syntax proposed; yields the port.

    It serves one association after the other, and ends with what is sent last.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_serve, args=(listening, answer))
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listening: socket.socket, answer: Answer) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            try:
                _talk(RawPeer(connection), answer)
            except ConnectionError:
                continue


def _talk(peer: RawPeer, answer: Answer) -> None:
    asked = peer.read()
    assert asked is not None
    request = decode_associate_rq(asked.body)
    results = [
        ContextResult(context.context_id, 0, context.transfer_syntaxes[0])
        for context in request.contexts
    ]
    peer.send(
        encode_associate_ac(
            *(request, results),
            max_length=16384,
            implementation_class_uid="1.2.3",
            implementation_version="RAW",
            roles=request.roles,
        )
    )
    while (command := _command(peer)) is not None:
        for piece in answer(command):
            peer.send(piece)
            if piece == ABORTED:
                return


def _command(peer: RawPeer) -> Dataset | None:
    """The command set of the next request, once its Identifier has come; None at the end."""
    found = b""
    while (received := peer.read()) is not None and received.kind == P_DATA:
        at = 0
        while at < len(received.body):
            size, _, control = struct.unpack_from(">IBB", received.body, at)
            if control & 1:
                found += received.body[at + 6 : at + 4 + size]
            elif control & 2:
                return decoded(found)
            at += 4 + size
    if received is not None and received.kind == RELEASE_RQ:
        peer.send(pdu(RELEASE_RP, bytes(4)))
    return None
