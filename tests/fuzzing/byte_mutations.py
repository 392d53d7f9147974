"""Mutations that know nothing of DICOM: what disks, networks and bad luck do to files."""

from collections.abc import Sequence
from random import Random

from tests.fuzzing.layout import Layout
from tests.fuzzing.splices import Splice

INTERESTING = (b"\x00", b"\xff", b"\x7f", b"\x80")
BLOCK_MAX = 4096
HEADER_SHARE = 0.5
"""Of the mutations at any place so many fall on the first bytes, where the attributes are."""


def flip_bits(layout: Layout, rng: Random) -> Sequence[Splice]:
    """One bit or a few."""
    return [_flipped(layout.data, place(layout, rng), rng) for _ in range(rng.choice((1, 1, 2, 8)))]


def overwrite_bytes(layout: Layout, rng: Random) -> Sequence[Splice]:
    """A run of one interesting byte, or of noise."""
    start = place(layout, rng)
    count = min(rng.choice((1, 2, 4, 8, 64, 512)), len(layout.data) - start)
    new = rng.choice(INTERESTING) * count if rng.random() < 0.7 else rng.randbytes(count)
    return [Splice(start, start + count, new)]


def cut_block(layout: Layout, rng: Random) -> Sequence[Splice]:
    """Bytes are lost."""
    start, stop = _block(layout, rng)
    return [Splice(start, stop, b"")]


def insert_block(layout: Layout, rng: Random) -> Sequence[Splice]:
    """Bytes appear: noise, or one byte again and again."""
    at, size = place(layout, rng), rng.choice((1, 2, 3, 8, 100, BLOCK_MAX))
    new = rng.randbytes(size) if rng.random() < 0.5 else rng.choice(INTERESTING) * size
    return [Splice(at, at, new)]


def repeat_block(layout: Layout, rng: Random) -> Sequence[Splice]:
    """Bytes come twice."""
    start, stop = _block(layout, rng)
    return [Splice(stop, stop, layout.data[start:stop])]


def move_block(layout: Layout, rng: Random) -> Sequence[Splice]:
    """Bytes of one place overwrite another."""
    start, stop = _block(layout, rng)
    at = min(place(layout, rng), len(layout.data) - (stop - start))
    return [Splice(at, at + stop - start, layout.data[start:stop])]


def truncate(layout: Layout, rng: Random) -> Sequence[Splice]:
    """The file ends too soon: anywhere, or by a few bytes only."""
    size = len(layout.data)
    at = rng.randrange(size) if rng.random() < 0.8 else size - rng.randrange(1, min(20, size))
    return [Splice(at, size, b"")]


def place(layout: Layout, rng: Random) -> int:
    """Any offset, the attributes' more often than their share of the bytes."""
    size = len(layout.data)
    pixels = layout.pixel_data()
    if rng.random() < HEADER_SHARE and pixels is not None:
        return rng.randrange(max(1, min(pixels.head.value_at + 64, size)))
    return rng.randrange(size)


def _block(layout: Layout, rng: Random) -> tuple[int, int]:
    start = place(layout, rng)
    size = int(2 ** rng.uniform(0, 12))
    return start, min(start + size, len(layout.data))


def _flipped(data: bytes, at: int, rng: Random) -> Splice:
    return Splice(at, at + 1, bytes([data[at] ^ 1 << rng.randrange(8)]))
