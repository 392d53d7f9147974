"""Edits of a file's bytes, and elements written anew with the lengths around them kept true."""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.fuzzing.layout import LONG_VRS, UNDEFINED, Element, Encoding, Head


@dataclass(frozen=True)
class Splice:
    """The bytes from ``start`` to ``stop`` become ``new``."""

    start: int
    stop: int
    new: bytes

    @property
    def keeps_length(self) -> bool:
        """Whether everything behind stays where it is."""
        return len(self.new) == self.stop - self.start


def spliced(data: bytes, splices: Iterable[Splice]) -> bytes:
    """The bytes after all edits; an edit that begins inside an earlier one is left out."""
    parts: list[bytes] = []
    at = 0
    for splice in sorted(splices, key=lambda splice: splice.start):
        if splice.start < at:
            continue
        parts += [data[at : splice.start], splice.new]
        at = splice.stop
    return b"".join((*parts, data[at:]))


def encoded(
    tag: int, vr: str, value: bytes, encoding: Encoding, length: int | None = None
) -> bytes:
    """An element's bytes.

    Args:
        length: what to declare; None for the true one.
    """
    order = encoding.order
    declared = len(value) if length is None else length
    head = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
    if not encoding.explicit or vr == "":
        return head + struct.pack(f"{order}I", declared) + value
    head += vr.encode("latin-1")
    if vr in LONG_VRS:
        return head + struct.pack(f"{order}HI", 0, declared) + value
    return head + struct.pack(f"{order}H", declared & 0xFFFF) + value[:0xFFFF]


def with_value(element: Element, value: bytes) -> list[Splice]:
    """The element with another value, padded to even length; lengths around it stay true."""
    head = element.head
    even = value + b"\0" * (len(value) % 2)
    new = encoded(head.tag, head.vr, even, head.encoding)
    grown = len(new) - (element.end - head.at)
    return [Splice(head.at, element.end, new), *lengthened(element.inside, grown)]


def lengthened(around: Sequence[Head], grown: int) -> list[Splice]:
    """The length fields of these sequences and items, each larger by ``grown`` bytes."""
    defined = (head for head in around if head.length != UNDEFINED)
    return [length_set(head, head.length + grown) for head in defined] if grown else []


def length_set(head: Head, length: int) -> Splice:
    """Another declared length, cut to what the field can hold."""
    width = head.length_width
    limited = length & (0xFFFF if width == 2 else 0xFFFFFFFF)
    new = struct.pack(f"{head.encoding.order}{'H' if width == 2 else 'I'}", limited)
    return Splice(head.value_at - width, head.value_at, new)
