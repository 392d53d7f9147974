"""What a compressed frame says of itself, read before any decoder allocates for it."""

import struct
from dataclasses import dataclass

from encoders.image import PixelError

_SOI, _JPEG_2000_SOC_SIZ = b"\xff\xd8", b"\xff\x4f\xff\x51"
# SOF0 to SOF15 but for DHT, JPG and DAC (ITU-T T.81 Table B.1), and SOF55 of JPEG-LS (T.87)
_START_OF_FRAME = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True)
class Codestream:
    """Size of an image in samples, its components, and bits per sample."""

    rows: int
    columns: int
    components: int
    precision: int


def read_codestream(frame: bytes) -> Codestream:
    """Read the frame header of a JPEG, JPEG-LS, JPEG 2000 or HTJ2K codestream.

    Args:
        frame: one whole encoded frame; a JP2 box before a JPEG 2000 codestream is passed over.

    Raises:
        PixelError: no such header, or the end marker (EOI or EOC, both FFD9) is missing: a
            decoder would fill a truncated frame up with grey.
    """
    # encapsulation pads to even length with one zero; some senders pad with more, or with FF
    if not frame.rstrip(b"\0\xff").endswith(b"\xff\xd9"):
        raise PixelError("compressed pixel data is truncated: its end marker FFD9 is missing")
    start = frame[:4096].find(_JPEG_2000_SOC_SIZ)
    try:
        if start >= 0:
            return _jpeg_2000(frame, start)
        if frame.startswith(_SOI):
            return _jpeg(frame)
    except (struct.error, IndexError) as error:
        raise PixelError("compressed pixel data is damaged: its header ends too soon") from error
    raise PixelError("compressed pixel data starts with no JPEG or JPEG 2000 header")


def _jpeg(frame: bytes) -> Codestream:
    at = 2
    while frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        length, precision, rows, columns, components = struct.unpack_from(">HBHHB", frame, at + 2)
        if marker in _START_OF_FRAME:
            return Codestream(rows, columns, components, precision)
        at += 2 + length
    raise PixelError("compressed pixel data is damaged: no start of frame where one is due")


def _jpeg_2000(frame: bytes, start: int) -> Codestream:
    # SIZ (ITU-T T.800 A.5.1): Lsiz Rsiz Xsiz Ysiz XOsiz YOsiz, four of tiles, Csiz, Ssiz
    columns, rows, left, top = struct.unpack_from(">IIII", frame, start + 8)
    components, depth = struct.unpack_from(">HB", frame, start + 40)
    return Codestream(rows - top, columns - left, components, (depth & 0x7F) + 1)
