"""Frame headers built by hand from ITU-T T.81 B.2.2, T.87 C.2.2 and T.800 A.5.1."""

import struct

import pytest

from encoders.codestream import Codestream, read_codestream
from encoders.image import PixelError

APP0 = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0" + bytes(9)
EOI = b"\xff\xd9"


def sof(marker: int, precision: int, rows: int, columns: int, components: int) -> bytes:
    return struct.pack(
        ">BBHBHHB", 0xFF, marker, 8 + 3 * components, precision, rows, columns, components
    ) + bytes(3 * components)


# T.800 A.6.1 and A.6.4: one decomposition level by 5-3, and its four subbands, not quantised
COD = bytes.fromhex("ff52 000c 00 00 0001 00 01 04 04 00 01")
QCD = bytes.fromhex("ff5c 0007 40 40 48 48 50")


def siz(rows: int, columns: int, components: int, depth: int) -> bytes:
    """The main header: SIZ (A.5.1), and the two others that every codestream has."""
    head = struct.pack(">HHHH", 0xFF4F, 0xFF51, 38 + 3 * components, 0)
    sizes = struct.pack(">IIIIIIII", columns + 4, rows + 2, 4, 2, 8, 8, 0, 0)
    return (
        head + sizes + struct.pack(">H", components) + bytes([depth, 1, 1]) * components + COD + QCD
    )


def tile_part(data: bytes, length: int | None = None) -> bytes:
    """SOT of ITU-T T.800 A.4.2: Psot counts from the marker on; then SOD (A.4.3) and data."""
    length = 14 + len(data) if length is None else length
    return struct.pack(">HHHIBB", 0xFF90, 10, 0, length, 0, 1) + b"\xff\x93" + data


PART = tile_part(b"data")


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (b"\xff\xd8" + APP0 + sof(0xC0, 8, 30, 40, 3) + EOI, Codestream(30, 40, 3, 8)),
        (b"\xff\xd8" + sof(0xC1, 12, 3, 4, 1) + EOI, Codestream(3, 4, 1, 12)),
        (b"\xff\xd8\xff" + sof(0xC3, 16, 3, 4, 1) + EOI + b"\0", Codestream(3, 4, 1, 16)),
        (b"\xff\xd8" + sof(0xF7, 16, 3, 4, 1) + EOI + b"\0\0", Codestream(3, 4, 1, 16)),
        # T.800: size is the reference grid less the image offset; bit 7 of Ssiz means signed
        (
            siz(30, 40, 1, 0x80 | 15) + PART + EOI,
            Codestream(30, 40, 1, 16, signed=True, lossless=True),
        ),
        (bytes(80) + siz(30, 40, 3, 7) + PART + EOI, Codestream(30, 40, 3, 8, lossless=True)),
        (
            siz(3, 4, 1, 7) + PART + tile_part(b"more", 0) + EOI,
            Codestream(3, 4, 1, 8, lossless=True),
        ),
    ],
)
def test_headers(frame: bytes, expected: Codestream) -> None:
    assert read_codestream(frame) == expected


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", "truncated"),
        (b"\xff\xd8" + sof(0xC0, 8, 30, 40, 3), "truncated"),
        (b"\xff\xd8" + EOI, "damaged"),
        (b"\xff\xd8\x00\x00" + EOI, "damaged"),
        (b"\xff\xd8" + APP0[:6] + EOI, "damaged"),
        (siz(3, 4, 1, 7)[:12] + EOI, "damaged"),
        (siz(3, 4, 1, 7) + EOI, "damaged"),
        (siz(3, 4, 1, 7) + tile_part(b"data", 17) + EOI, "where its length says"),
        (siz(3, 4, 1, 7) + PART + tile_part(b"data", 19) + EOI + b"\0", "where its length says"),
        (siz(3, 4, 1, 7) + tile_part(b"data", 1) + EOI, "where its length says"),
        (b"GIF89a" + EOI, "no JPEG"),
    ],
)
def test_damage_is_told(frame: bytes, reason: str) -> None:
    with pytest.raises(PixelError, match=reason):
        read_codestream(frame)
