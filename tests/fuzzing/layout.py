"""Where the elements of a DICOM file lie, for mutations that know what they break."""

import struct
from dataclasses import dataclass

from pydicom import uid
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag

UNDEFINED = 0xFFFFFFFF
PIXEL_DATA = 0x7FE00010
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
"""VRs whose length has four bytes, after two reserved ones (PS3.5 7.1.2)."""

META_AT = 132  # after the preamble and DICM (PS3.10 7.1)
DEPTH_MAX = 20


@dataclass(frozen=True)
class Encoding:
    """How a data set is encoded (PS3.5 7 and Annex A)."""

    explicit: bool
    little: bool

    @property
    def order(self) -> str:
        """The byte order, as ``struct`` spells it."""
        return "<" if self.little else ">"


EXPLICIT_LITTLE = Encoding(explicit=True, little=True)
IMPLICIT_LITTLE = Encoding(explicit=False, little=True)


@dataclass(frozen=True)
class Head:
    """Tag, VR and length of one element or item, and their place in the file.

    Attributes:
        at, value_at: offsets of the element and of its value.
        length: as declared; ``UNDEFINED`` where delimiters end it.
    """

    tag: int
    vr: str
    at: int
    value_at: int
    length: int
    encoding: Encoding

    @property
    def length_width(self) -> int:
        """Bytes of the length field, which stands right before the value."""
        short = self.encoding.explicit and self.vr and self.vr not in LONG_VRS
        return 2 if short else 4

    @property
    def keyword(self) -> str:
        """Of the attribute; empty for items and private elements."""
        return keyword_for_tag(self.tag)


@dataclass(frozen=True)
class Element:
    """One element or item.

    Attributes:
        end: offset after its value and delimiter.
        inside: sequences and items around it, outermost first.
    """

    head: Head
    end: int
    inside: tuple[Head, ...]


@dataclass(frozen=True)
class Layout:
    """A file's bytes and its elements, in the order of their ends: children before parents."""

    data: bytes
    elements: tuple[Element, ...]
    transfer_syntax: str

    def pixel_data(self) -> Element | None:
        """The Pixel Data element at the root; of several the last."""
        found = [e for e in self.elements if e.head.tag == PIXEL_DATA and not e.inside]
        return found[-1] if found else None

    def fragments(self) -> list[Element]:
        """Items of encapsulated pixel data, the Basic Offset Table first; else none."""
        return [
            element
            for element in self.elements
            if element.inside and element.inside[-1].tag == PIXEL_DATA
        ]

    def leaves(self) -> list[Element]:
        """Elements with a value of their own, pixel data left out."""
        return [e for e in self.elements if e.head.vr not in ("", "SQ") and not _holds_pixels(e)]


def read_layout(data: bytes, transfer_syntax: str | None = None) -> Layout:
    """Find the elements of a file in DICOM format, as far as it can be understood.

    Args:
        data: the whole file; of a deflated one, with its data set inflated.
        transfer_syntax: what the data set is encoded in; None takes what the file says.
    """
    walk = _Walk(data)
    walk.data_set(META_AT, len(data), EXPLICIT_LITTLE, group=2)
    syntax = transfer_syntax or _text_of(walk.found, data, 0x00020010)
    walk.data_set(walk.end, len(data), encoding_of(syntax))
    return Layout(data, tuple(walk.found), syntax)


def encoding_of(transfer_syntax: str) -> Encoding:
    """The encoding of a data set in that transfer syntax."""
    return Encoding(
        explicit=transfer_syntax != uid.ImplicitVRLittleEndian,
        little=transfer_syntax != uid.ExplicitVRBigEndian,
    )


class _Walk:
    """Goes through a file and gathers its elements; stops where it understands no more."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.found: list[Element] = []
        self.end = 0

    def data_set(
        self,
        at: int,
        stop: int,
        encoding: Encoding,
        inside: tuple[Head, ...] = (),
        *,
        group: int | None = None,
    ) -> int:
        """Gather elements until ``stop``, a delimiter, or another group; where it ended."""
        while (head := self._head(at, stop, encoding)) is not None:
            if head.tag in (ITEM_END, SEQUENCE_END):
                at = head.value_at
                break
            if group is not None and head.tag >> 16 != group:
                break
            at = self._element(head, stop, inside)
        self.end = at
        return at

    def _element(self, head: Head, stop: int, inside: tuple[Head, ...]) -> int:
        end = self._inner(head, stop, inside)
        self.found.append(Element(head, end, inside))
        return end

    def _inner(self, head: Head, stop: int, inside: tuple[Head, ...]) -> int:
        """Gather what is inside an element; where it ends."""
        undefined = head.length == UNDEFINED
        end = stop if undefined else min(head.value_at + head.length, stop)
        leaf = not undefined and head.vr not in ("", "SQ")
        fragment = bool(inside) and inside[-1].tag == PIXEL_DATA
        if leaf or fragment or len(inside) > DEPTH_MAX:
            return end
        # an undefined length makes UN a sequence of Implicit VR (PS3.5 6.2.2)
        encoding = IMPLICIT_LITTLE if undefined and head.vr == "UN" else head.encoding
        reached = self.data_set(head.value_at, end, encoding, (*inside, head))
        return reached if undefined else end

    def _head(self, at: int, stop: int, encoding: Encoding) -> Head | None:
        if at + 8 > stop:
            return None
        order = encoding.order
        group, number = struct.unpack_from(f"{order}HH", self.data, at)
        tag = group << 16 | number
        (length,) = struct.unpack_from(f"{order}I", self.data, at + 4)
        if group == 0xFFFE:
            return Head(tag, "", at, at + 8, length, encoding)
        if not encoding.explicit:
            return Head(tag, _vr_of(tag), at, at + 8, length, encoding)
        vr = self.data[at + 4 : at + 6].decode("latin-1")
        if vr not in LONG_VRS:
            (length,) = struct.unpack_from(f"{order}H", self.data, at + 6)
            return Head(tag, vr, at, at + 8, length, encoding)
        if at + 12 > stop:
            return None
        (length,) = struct.unpack_from(f"{order}I", self.data, at + 8)
        return Head(tag, vr, at, at + 12, length, encoding)


def _vr_of(tag: int) -> str:
    return dictionary_VR(tag)[:2] if dictionary_has_tag(tag) else "UN"


def _text_of(elements: list[Element], data: bytes, tag: int) -> str:
    for element in elements:
        if element.head.tag == tag:
            return data[element.head.value_at : element.end].decode("latin-1").strip("\0 ")
    return ""


def _holds_pixels(element: Element) -> bool:
    return PIXEL_DATA in (element.head.tag, *(head.tag for head in element.inside))
