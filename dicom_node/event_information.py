"""What a peer reports of a storage commitment: the data set of its N-EVENT-REPORT (PS3.4 J.3.3).

It is the network's: a few hundred bytes of which four elements matter, read by their lengths
without a dictionary (PS3.5 7.1, 7.5). Nothing that is cut off is taken for complete.
"""

import re
import struct
from typing import NamedTuple

from pydicom.uid import ImplicitVRLittleEndian

DEEPEST = 16
"""Sequences within sequences; what is looked for lies in the first."""

_TRANSACTION_UID, _FAILED, _REFERENCED = 0x0008_1195, 0x0008_1198, 0x0008_1199
_INSTANCE_UID, _FAILURE_REASON = 0x0008_1155, 0x0008_1197
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFE_E000, 0xFFFE_E00D, 0xFFFE_E0DD
_UNDEFINED = 0xFFFF_FFFF
_LONG_FORM = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
_UID = re.compile(r"[0-9.]{1,64}")
"""PS3.5 9.1, as far as it matters for looking one up."""


class MalformedError(Exception):
    """Event information cannot be read, or lacks what it must have; the message says why."""


class CommitmentResult(NamedTuple):
    """What a peer says of one transaction.

    Attributes:
        transaction_uid: the transaction.
        committed: SOP Instance UIDs that the peer will keep.
        failed: SOP Instance UIDs that it will not, with the Failure Reason (0008,1197) of each;
            None where it gives none.
    """

    transaction_uid: str
    committed: tuple[str, ...]
    failed: tuple[tuple[str, int | None], ...] = ()


class _Element(NamedTuple):
    tag: int
    start: int
    length: int
    explicit: bool


_Items = list[dict[int, bytes]]


def read_result(data: bytes, transfer_syntax: str) -> CommitmentResult:
    """Reads the event information of PS3.4 table J.3-2.

    Raises:
        MalformedError: it is cut off, nested too deep, or lacks a UID.
    """
    reader = _Reader(data)
    try:
        reader.read_all(explicit=transfer_syntax != ImplicitVRLittleEndian)
    except struct.error as fault:
        raise MalformedError("the data set ends within an element") from fault
    return CommitmentResult(
        _uid(reader.transaction_uid, "(0008,1195)"),
        tuple(_uid(item.get(_INSTANCE_UID)) for item in reader.items[_REFERENCED]),
        tuple(
            (_uid(item.get(_INSTANCE_UID)), _reason(item.get(_FAILURE_REASON)))
            for item in reader.items[_FAILED]
        ),
    )


def _uid(value: bytes | None, tag: str = "(0008,1155)") -> str:
    found = (value or b"").decode("ascii", "replace").rstrip("\0 ")
    if not _UID.fullmatch(found):
        raise MalformedError(f"{tag} is missing or is no UID")
    return found


def _reason(value: bytes | None) -> int | None:
    return int.from_bytes(value, "little") if value is not None and len(value) == 2 else None


class _Reader:
    """Goes over a data set once; ``items`` are those of the two sequences at its top."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.transaction_uid: bytes | None = None
        self.items: dict[int, _Items] = {_FAILED: [], _REFERENCED: []}

    def read_all(self, *, explicit: bool) -> None:
        """Reads to the end of the data."""
        at = 0
        while at < len(self._data):
            element = self._element(at, len(self._data), explicit=explicit)
            if element.tag in self.items:
                at = self._sequence(element, len(self._data), 1, self.items[element.tag])
            elif element.length == _UNDEFINED:
                at = self._sequence(element, len(self._data), 1, [])
            else:
                at = element.start + element.length
                if element.tag == _TRANSACTION_UID:
                    self.transaction_uid = self._data[element.start : at]

    def _element(self, at: int, end: int, *, explicit: bool) -> _Element:
        """The head of the element at ``at``, which must end before ``end``."""
        group, number = struct.unpack_from("<HH", self._data, at)
        vr = self._data[at + 4 : at + 6]
        start, within = at + 8, explicit
        if not explicit or group == 0xFFFE:
            (length,) = struct.unpack_from("<I", self._data, at + 4)
        elif vr in _LONG_FORM:
            start = at + 12
            (length,) = struct.unpack_from("<I", self._data, at + 8)
            within = vr != b"UN"  # PS3.5 6.2.2: it holds implicit VR, whatever is around it
        else:
            (length,) = struct.unpack_from("<H", self._data, at + 6)
        if length != _UNDEFINED and start + length > end:
            raise MalformedError(f"({group:04X},{number:04X}) is longer than what holds it")
        return _Element(group << 16 | number, start, length, within)

    def _sequence(self, sequence: _Element, end: int, depth: int, found: _Items) -> int:
        """Adds a sequence's items to ``found``; returns where it ends (PS3.5 7.5)."""
        if depth > DEEPEST:
            raise MalformedError("its sequences are nested too deep")
        is_open = sequence.length == _UNDEFINED
        at, stop = sequence.start, end if is_open else sequence.start + sequence.length
        while at < stop:
            head = self._element(at, stop, explicit=sequence.explicit)
            if is_open and head.tag == _SEQUENCE_END:
                return head.start
            if head.tag != _ITEM:
                raise MalformedError("something stands between the items of a sequence")
            at = self._item(head, sequence.explicit, stop, depth, found)
        if is_open:
            raise MalformedError("a sequence has no end")
        return stop

    def _item(self, head: _Element, explicit: bool, end: int, depth: int, found: _Items) -> int:
        is_open = head.length == _UNDEFINED
        at, stop = head.start, end if is_open else head.start + head.length
        values: dict[int, bytes] = {}
        found.append(values)
        while at < stop:
            element = self._element(at, stop, explicit=explicit)
            if is_open and element.tag == _ITEM_END:
                return element.start
            if element.length == _UNDEFINED:
                at = self._sequence(element, stop, depth + 1, [])
            else:
                at = element.start + element.length
                values[element.tag] = self._data[element.start : at]
        if is_open:
            raise MalformedError("an item has no end")
        return stop
