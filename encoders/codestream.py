"""What a compressed frame says of itself, read before any decoder allocates for it."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from encoders.image import PixelError

_SOI, _EOC, _JPEG_2000_SOC_SIZ = b"\xff\xd8", b"\xff\xd9", b"\xff\x4f\xff\x51"
# SOF0 to SOF15 but for DHT, JPG and DAC (ITU-T T.81 Table B.1), and SOF55 of JPEG-LS (T.87)
START_OF_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
START_OF_SCAN = 0xDA
_START_OF_TILE_PART = b"\xff\x90"
_TILE_PART_MIN = 14  # Psot of a tile-part that holds nothing (T.800 A.4.2)


@dataclass(frozen=True)
class Codestream:
    """Size of an image in samples, its components, bits per sample, and whether they are signed.

    Only JPEG 2000 can say that samples are signed; the others always hold unsigned ones.
    """

    rows: int
    columns: int
    components: int
    precision: int
    signed: bool = False


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
    if not frame.rstrip(b"\0\xff").endswith(_EOC):
        raise PixelError("compressed pixel data is truncated: its end marker FFD9 is missing")
    start = frame[:4096].find(_JPEG_2000_SOC_SIZ)
    try:
        if start >= 0:
            _check_tile_parts(frame, start)
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
    # SIZ (ITU-T T.800 A.5.1): Lsiz Rsiz Xsiz Ysiz XOsiz YOsiz, four of tiles, Csiz, Ssiz
    columns, rows, left, top = struct.unpack_from(">IIII", frame, start + 8)
    components, depth = struct.unpack_from(">HB", frame, start + 40)
    return Codestream(rows - top, columns - left, components, (depth & 0x7F) + 1, depth > 0x7F)


def _check_tile_parts(frame: bytes, start: int) -> None:
    """Follow the tile-parts by their lengths Psot (T.800 A.4.2) from the first to EOC.

    openjpeg takes a padding byte for a byte that is missing.
    """
    at = start + 2
    while frame[at : at + 2] != _START_OF_TILE_PART:
        at += 2 + int(struct.unpack_from(">H", frame, at + 2)[0])
    while frame[at : at + 2] == _START_OF_TILE_PART:
        (length,) = struct.unpack_from(">I", frame, at + 6)
        if length == 0:  # the last one may reach as far as EOC, unmeasured
            return
        at += max(length, _TILE_PART_MIN)
    if frame[at : at + 2] != _EOC:
        raise PixelError(
            "compressed pixel data is damaged: a tile-part does not end where its length says"
        )
