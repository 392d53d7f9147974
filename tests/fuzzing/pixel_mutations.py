"""Mutations of pixel data: encapsulation (PS3.5 A.4) and the codestreams in it."""

import struct
from collections.abc import Iterator, Sequence
from random import Random

from tests.fuzzing.layout import ITEM, ITEM_END, SEQUENCE_END, UNDEFINED, Element, Layout
from tests.fuzzing.splices import Splice, encoded, length_set

WORDS = (0, 1, 2, 7, 8, 9, 16, 17, 255, 256, 4096, 32767, 32768, 65535)


def flip_pixel_bits(layout: Layout, rng: Random) -> Sequence[Splice]:
    """One bit of the pixel data or a few, close together."""
    start, stop = value_span(layout)
    if start == stop:
        return []
    at = rng.randrange(start, stop)
    places = [min(stop - 1, at + rng.randrange(64)) for _ in range(rng.choice((1, 1, 4)))]
    return [Splice(p, p + 1, bytes([layout.data[p] ^ 1 << rng.randrange(8)])) for p in places]


def overwrite_pixels(layout: Layout, rng: Random) -> Sequence[Splice]:
    """A run of the pixel data becomes one byte, or noise."""
    start, stop = value_span(layout)
    if start == stop:
        return []
    at = rng.randrange(start, stop)
    count = min(stop - at, int(2 ** rng.uniform(0, 13)))
    byte = rng.choice((b"\x00", b"\xff", b"\x7f", b"\x80", None))
    return [Splice(at, at + count, rng.randbytes(count) if byte is None else byte * count)]


def cut_pixels(layout: Layout, rng: Random) -> Sequence[Splice]:
    """Bytes of the pixel data are lost, from one to all."""
    start, stop = value_span(layout)
    if start == stop:
        return []
    at = rng.randrange(start, stop)
    return [Splice(at, min(stop, at + int(2 ** rng.uniform(0, 20))), b"")]


def insert_pixels(layout: Layout, rng: Random) -> Sequence[Splice]:
    """Bytes appear in the pixel data, so that all behind them is shifted."""
    start, stop = value_span(layout)
    at = rng.randrange(start, stop + 1)
    return [Splice(at, at, rng.randbytes(rng.choice((1, 2, 3, 64, 1000))))]


def truncate_pixels(layout: Layout, rng: Random) -> Sequence[Splice]:
    """The file ends within the pixel data."""
    start, stop = value_span(layout)
    if start == stop:
        return []
    return [Splice(rng.randrange(start, stop), len(layout.data), b"")]


def change_pixel_length(layout: Layout, rng: Random) -> Sequence[Splice]:
    """The pixel data, or an item of it, declares another length."""
    pixels = layout.pixel_data()
    heads = [e.head for e in layout.fragments()] + ([pixels.head] if pixels else [])
    if not heads:
        return []
    head = rng.choice(heads)
    near = [head.length + by for by in (-1000, -2, -1, 1, 2, 1000)]
    return [length_set(head, rng.choice([*near, 0, 1, 0x7FFFFFFF, 0xFFFFFFFE, UNDEFINED]))]


def change_offsets(layout: Layout, rng: Random) -> Sequence[Splice]:
    """The Basic Offset Table points elsewhere, is cut, or comes from nowhere."""
    if not layout.fragments():
        return flip_pixel_bits(layout, rng)
    table = layout.fragments()[0]
    count = rng.choice((0, 1, 2, max(1, table.head.length // 4)))
    offsets = [rng.choice((0, 1, 8, 100, 0x7FFFFFFF, 0xFFFFFFFF)) for _ in range(count)]
    new = encoded(ITEM, "", struct.pack(f"<{count}I", *offsets), table.head.encoding)
    return [Splice(table.head.at, table.end, new)]


def merge_fragments(layout: Layout, rng: Random) -> Sequence[Splice]:
    """Two neighbours become one item, or one item becomes two."""
    fragments = layout.fragments()[1:]
    if len(fragments) < 2 or rng.random() < 0.5:
        return _split(layout, rng, fragments)
    at = rng.randrange(len(fragments) - 1)
    first, second = fragments[at : at + 2]
    both = _body(layout, first) + _body(layout, second)
    return [Splice(first.head.at, second.end, encoded(ITEM, "", both, first.head.encoding))]


def drop_fragment(layout: Layout, rng: Random) -> Sequence[Splice]:
    """An item of the pixel data is missing, the Basic Offset Table perhaps."""
    if not layout.fragments():
        return cut_pixels(layout, rng)
    element = rng.choice(layout.fragments())
    return [Splice(element.head.at, element.end, b"")]


def double_fragment(layout: Layout, rng: Random) -> Sequence[Splice]:
    """An item of the pixel data comes twice, or in another's place."""
    if not layout.fragments():
        return insert_pixels(layout, rng)
    element, other = (rng.choice(layout.fragments()) for _ in range(2))
    start = rng.choice((other.head.at, other.end))
    return [Splice(start, other.end, layout.data[element.head.at : element.end])]


def stray_pixel_item(layout: Layout, rng: Random) -> Sequence[Splice]:
    """A delimiter or an empty item among those of the pixel data."""
    if not layout.fragments():
        return insert_pixels(layout, rng)
    head = rng.choice(layout.fragments()).head
    tag = rng.choice((ITEM, ITEM_END, SEQUENCE_END))
    return [Splice(head.at, head.at, encoded(tag, "", b"", head.encoding))]


def change_marker_segment(layout: Layout, rng: Random) -> Sequence[Splice]:
    """A field of a marker segment before the entropy-coded data gets another value."""
    segments = list(_segments(layout))
    if not segments:
        return flip_pixel_bits(layout, rng)
    start, stop = rng.choice(segments)
    at, width = rng.randrange(start, stop), rng.choice((1, 2, 4))
    new = rng.choice(WORDS).to_bytes(4, "big")[4 - width :][: stop - at]
    return [Splice(at, at + len(new), new)]


def lose_marker_segment(layout: Layout, rng: Random) -> Sequence[Splice]:
    """A marker segment is missing, comes twice, or its marker is another's."""
    segments = list(_segments(layout))
    if not segments:
        return overwrite_pixels(layout, rng)
    start, stop = rng.choice(segments)
    other = rng.choice((0xC0, 0xC3, 0xC4, 0xD8, 0xD9, 0xDA, 0xF7, 0x52, 0x90, 0x93))
    segment = layout.data[start:stop]
    return [Splice(start, stop, rng.choice((b"", segment * 2, bytes((0xFF, other)) + segment[2:])))]


def change_rle_header(layout: Layout, rng: Random) -> Sequence[Splice]:
    """The number of RLE segments or an offset (PS3.5 G.5); of other codestreams the first bytes."""
    fragments = layout.fragments()[1:]
    if not fragments:
        return overwrite_pixels(layout, rng)
    head = rng.choice(fragments).head
    at = head.value_at + 4 * rng.randrange(16)
    new = struct.pack("<I", rng.choice((*WORDS, 64, 0x7FFFFFFF, 0xFFFFFFFF)))
    return [Splice(at, at + 4, new)]


def value_span(layout: Layout) -> tuple[int, int]:
    """Start and stop of the pixel data's value: all its items where it is encapsulated."""
    pixels = layout.pixel_data()
    if pixels is None:
        return len(layout.data), len(layout.data)
    fragments = layout.fragments()
    return pixels.head.value_at, fragments[-1].end if fragments else pixels.end


def _body(layout: Layout, element: Element) -> bytes:
    return layout.data[element.head.value_at : element.end]


def _split(layout: Layout, rng: Random, fragments: list[Element]) -> Sequence[Splice]:
    whole = [fragment for fragment in fragments if fragment.head.length > 2]
    if not whole:
        return []
    fragment = rng.choice(whole)
    body = _body(layout, fragment)
    cut = rng.randrange(len(body))
    halves = (encoded(ITEM, "", part, fragment.head.encoding) for part in (body[:cut], body[cut:]))
    return [Splice(fragment.head.at, fragment.end, b"".join(halves))]


def _segments(layout: Layout) -> Iterator[tuple[int, int]]:
    """Marker segments, marker included, of each codestream up to its entropy-coded data."""
    for fragment in layout.fragments()[1:]:
        at, stop = fragment.head.value_at, fragment.end
        if layout.data[at : at + 2] not in (b"\xff\xd8", b"\xff\x4f"):
            continue
        at += 2
        while at + 4 < stop and layout.data[at] == 0xFF:
            (length,) = struct.unpack_from(">H", layout.data, at + 2)
            yield at, min(stop, at + 2 + length)
            if layout.data[at + 1] in (0xDA, 0x90):  # start of scan, start of tile-part
                break
            at += 2 + length
