"""Items and sub-items of A-ASSOCIATE PDUs: a type, a length, a value (PS3.8 9.3.2, Annex D).

What comes is the network's: every length is checked before anything is sliced.
"""

import struct
from collections.abc import Iterator

_HEAD = struct.Struct(">BxH")


class ProtocolError(Exception):
    """The peer does not keep to the protocol; the message says where."""


def items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each item in ``data``.

    Raises:
        ProtocolError: an item is longer than what is there.
    """
    at = 0
    while at < len(data):
        if at + _HEAD.size > len(data):
            raise ProtocolError("an item of A-ASSOCIATE-RQ ends too soon")
        kind, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        if at + length > len(data):
            raise ProtocolError(f"item {kind:02X}H of A-ASSOCIATE-RQ is longer than the PDU")
        yield kind, data[at : at + length]
        at += length


def item(kind: int, value: bytes) -> bytes:
    """An item of a type with its value."""
    return _HEAD.pack(kind, len(value)) + value


def text(value: bytes) -> str:
    """A UID, name or AE title without its padding; what is not ASCII becomes U+FFFD."""
    return value.decode("ascii", "replace").strip(" \0")
