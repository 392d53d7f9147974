"""What a compressed frame says of itself, read before any decoder allocates for it."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from encoders.image import PixelError
from encoders.jpeg_2000 import EOC, SOC_SIZ, read_main_header

_SOI = b"\xff\xd8"
# SOF0 to SOF15 but for DHT, JPG and DAC (ITU-T T.81 Table B.1), and SOF55 of JPEG-LS (T.87)
START_OF_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
START_OF_SCAN = 0xDA


@dataclass(frozen=True)
class Codestream:
    """Size of an image in samples, its components, bits per sample, and whether they are signed.

    Only JPEG 2000 can say that samples are signed; the others always hold unsigned ones. And it
    alone says in its header whether it was coded without loss; for the others that is None.
    """

    rows: int
    columns: int
    components: int
    precision: int
    signed: bool = False
    lossless: bool | None = None


def read_codestream(frame: bytes) -> Codestream:
    """Read the frame header of a JPEG, JPEG-LS, JPEG 2000 or HTJ2K codestream.

    Args:
        frame: one whole encoded frame; a JP2 box before a JPEG 2000 codestream is passed over.

    Raises:
        PixelError: no such header, or the end marker (EOI or EOC, both FFD9) is missing: a
            decoder would fill a truncated frame up with grey. Or the tile-parts of a JPEG 2000
            codestream do not follow one another as their lengths say: bytes were lost.
    """
    # encapsulation pads to even length with one zero; some senders pad with more, or with FF
    if not frame.rstrip(b"\0\xff").endswith(EOC):
        raise PixelError("compressed pixel data is truncated: its end marker FFD9 is missing")
    start = frame[:4096].find(SOC_SIZ)
    try:
        if start >= 0:
            return _jpeg_2000(frame, start)
        if frame.startswith(_SOI):
            return _jpeg(frame)
    except (struct.error, IndexError) as error:
        raise PixelError("compressed pixel data is damaged: its header ends too soon") from error
    raise PixelError("compressed pixel data starts with no JPEG or JPEG 2000 header")


def marker_segments(frame: bytes) -> Iterator[tuple[int, int]]:
    """Yield each marker of a JPEG or JPEG-LS header and its offset, up to the first scan's.

    Raises:
        PixelError, IndexError, struct.error: the header is damaged.
    """
    at, marker = 2, 0
    while marker != START_OF_SCAN:
        if frame[at] != 0xFF:
            raise PixelError("compressed pixel data is damaged: no marker where one is due")
        marker = frame[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        yield marker, at
        at += 2 + int(struct.unpack_from(">H", frame, at + 2)[0])


def _jpeg(frame: bytes) -> Codestream:
    for marker, at in marker_segments(frame):
        if marker in START_OF_FRAME:
            precision, rows, columns, components = struct.unpack_from(">BHHB", frame, at + 4)
            return Codestream(rows, columns, components, precision)
    raise PixelError("compressed pixel data is damaged: no start of frame before the scan")


def _jpeg_2000(frame: bytes, start: int) -> Codestream:
    found = read_main_header(frame, start)
    return Codestream(
        found.rows,
        found.columns,
        found.components,
        found.precision,
        signed=found.signed,
        lossless=found.reversible,
    )
