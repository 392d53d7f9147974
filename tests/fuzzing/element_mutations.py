"""Mutations of the stream of elements: VRs, lengths, order, nesting, delimiters."""

from collections.abc import Sequence
from random import Random

from tests.fuzzing.layout import (
    ITEM,
    ITEM_END,
    PIXEL_DATA,
    SEQUENCE_END,
    UNDEFINED,
    Element,
    Head,
    Layout,
)
from tests.fuzzing.splices import Splice, encoded, length_set

VRS = (
    "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "OB", "OF", "OW",
    "PN", "SH", "SL", "SQ", "SS", "ST", "TM", "UI", "UL", "UN", "US", "UT",
)  # fmt: skip
UNKNOWN_VRS = ("ZZ", "??", "\0\0", "  ", "us", "\xff\xff")
NESTED_DEPTHS = (3, 60, 400, 3000)
"""Beyond some hundred levels a parser that calls itself leaves its stack."""


def change_vr(layout: Layout, rng: Random) -> Sequence[Splice]:
    """Another VR, known or not."""
    explicit = [e for e in layout.elements if e.head.encoding.explicit and e.head.vr]
    if not explicit:
        return []
    at = rng.choice(explicit).head.at + 4
    new = rng.choice((*VRS, *UNKNOWN_VRS)).encode("latin-1")
    return [Splice(at, at + 2, new)]


def change_length(layout: Layout, rng: Random) -> Sequence[Splice]:
    """A declared length of nothing, everything, or nearly what it was."""
    head = rng.choice(layout.elements).head
    near = [head.length + by for by in (-2, -1, 1, 2, 8)]
    absurd = [0, 1, 0xFFFE, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, UNDEFINED, len(layout.data)]
    return [length_set(head, rng.choice([*near, *absurd]))]


def change_tag(layout: Layout, rng: Random) -> Sequence[Splice]:
    """An element under another's tag."""
    head, other = (rng.choice(layout.elements).head for _ in range(2))
    return [Splice(head.at, head.at + 4, layout.data[other.at : other.at + 4])]


def delete_element(layout: Layout, rng: Random) -> Sequence[Splice]:
    """An element is missing; the lengths around it are not mended."""
    element = rng.choice(layout.elements)
    return [Splice(element.head.at, element.end, b"")]


def repeat_element(layout: Layout, rng: Random) -> Sequence[Splice]:
    """An element comes again, there and then or somewhere else."""
    element, other = rng.choice(layout.elements), rng.choice(layout.elements)
    at = element.end if rng.random() < 0.5 else other.head.at
    return [Splice(at, at, layout.data[element.head.at : element.end])]


def swap_elements(layout: Layout, rng: Random) -> Sequence[Splice]:
    """Two elements change places."""
    first, second = (rng.choice(layout.elements) for _ in range(2))
    one, two = (layout.data[e.head.at : e.end] for e in (first, second))
    return [Splice(first.head.at, first.end, two), Splice(second.head.at, second.end, one)]


def swap_values(layout: Layout, rng: Random) -> Sequence[Splice]:
    """Two values of one length change places."""
    first = rng.choice(layout.leaves() or layout.elements)
    alike = [e for e in layout.leaves() if e.head.length == first.head.length] or [first]
    return [_copied(layout, first, second := rng.choice(alike)), _copied(layout, second, first)]


def nest_deeper(layout: Layout, rng: Random) -> Sequence[Splice]:
    """Sequences in sequences in sequences, at an element's place, closed or left open."""
    head = rng.choice(layout.elements).head
    depth, closed = rng.choice(NESTED_DEPTHS), rng.random() < 0.7
    begin, end = _open(head), encoded(ITEM_END, "", b"", head.encoding)
    end += encoded(SEQUENCE_END, "", b"", head.encoding)
    return [Splice(head.at, head.at, begin * depth + end * depth * closed)]


def lose_delimiter(layout: Layout, rng: Random) -> Sequence[Splice]:
    """The end of a sequence or item is missing."""
    open_ended = [e for e in layout.elements if e.head.length == UNDEFINED]
    if not open_ended:
        return length_to_undefined(layout, rng)
    element = rng.choice(open_ended)
    return [Splice(element.end - 8, element.end, b"")]


def stray_delimiter(layout: Layout, rng: Random) -> Sequence[Splice]:
    """A delimiter or an item where none is due."""
    head = rng.choice(layout.elements).head
    tag = rng.choice((ITEM, ITEM_END, SEQUENCE_END))
    new = encoded(tag, "", b"", head.encoding, rng.choice((0, 0, 2, UNDEFINED)))
    return [Splice(head.at, head.at, new)]


def length_to_undefined(layout: Layout, rng: Random) -> Sequence[Splice]:
    """A sequence, an item or the pixel data loses its length and gets no delimiter."""
    nested = [e for e in layout.elements if e.head.vr in ("SQ", "", "UN")]
    candidates = nested or [e for e in layout.elements if e.head.tag == PIXEL_DATA]
    return [length_set(rng.choice(candidates or layout.elements).head, UNDEFINED)]


def _open(head: Head) -> bytes:
    sequence = encoded(0x00081140, "SQ", b"", head.encoding, UNDEFINED)
    return sequence + encoded(ITEM, "", b"", head.encoding, UNDEFINED)


def _copied(layout: Layout, to: Element, source: Element) -> Splice:
    value = layout.data[source.head.value_at : source.end]
    return Splice(to.head.value_at, to.end, value)
