"""The main header of a JPEG 2000 or HTJ2K codestream, and whether it contradicts itself.

A decoder believes each marker segment alone: another transformation or number of decomposition
levels than the coefficients were made with gives a picture, and the wrong one.
"""

import struct
from dataclasses import dataclass

from encoders.image import PixelError

EOC = b"\xff\xd9"
SOC_SIZ = b"\xff\x4f\xff\x51"
_COD, _QCD, _START_OF_TILE_PART = 0xFF52, 0xFF5C, 0xFF90
_TILE_PART_MIN = 14  # Psot of a tile-part that holds nothing (T.800 A.4.2)


@dataclass(frozen=True)
class MainHeader:
    """What the main header says (ITU-T T.800 A.5, A.6); sizes in samples.

    ``reversible`` is whether the 5-3 transformation was used, the only one that loses nothing.
    """

    rows: int
    columns: int
    components: int
    precision: int
    signed: bool
    reversible: bool


def read_main_header(frame: bytes, start: int) -> MainHeader:
    """Read the main header, and follow the tile-parts to the end of the codestream.

    Args:
        frame: one whole encoded frame.
        start: offset of SOC in it.

    Raises:
        PixelError: COD and QCD contradict each other, or the tile-parts do not follow one
            another as their lengths say: bytes were lost, or put in.
        struct.error, IndexError: the frame ends too soon.
    """
    segments, at = _segments(frame, start + 2)
    _check_tile_parts(frame, at)
    # SIZ (A.5.1): Lsiz Rsiz Xsiz Ysiz XOsiz YOsiz, four of tiles, Csiz, Ssiz
    columns, rows, left, top = struct.unpack_from(">IIII", frame, start + 8)
    components, depth = struct.unpack_from(">HB", frame, start + 40)
    return MainHeader(
        rows=rows - top,
        columns=columns - left,
        components=components,
        precision=(depth & 0x7F) + 1,
        signed=depth > 0x7F,
        reversible=_reversible(frame, segments),
    )


def _segments(frame: bytes, at: int) -> tuple[dict[int, int], int]:
    """Offsets of the marker segments, and of the first tile-part."""
    found: dict[int, int] = {}
    while True:
        marker, length = struct.unpack_from(">HH", frame, at)
        if marker == _START_OF_TILE_PART:
            return found, at
        found[marker] = at
        at += 2 + length


def _reversible(frame: bytes, segments: dict[int, int]) -> bool:
    """Read COD (A.6.1) and hold QCD (A.6.4) against it."""
    if _COD not in segments or _QCD not in segments:
        raise PixelError("compressed pixel data is damaged: its main header lacks COD or QCD")
    levels, transformation = frame[segments[_COD] + 9], frame[segments[_COD] + 13]
    length, style = struct.unpack_from(">HB", frame, segments[_QCD] + 2)
    reversible, unquantised, derived = transformation == 1, style & 0x1F == 0, style & 0x1F == 1
    steps = length - 3 if unquantised else (length - 3) // 2
    if reversible != unquantised or steps < (1 if derived else 3 * levels + 1):
        raise PixelError(
            "compressed pixel data is damaged: transformation, decomposition levels and "
            "quantisation contradict each other"
        )
    return reversible


def _check_tile_parts(frame: bytes, at: int) -> None:
    """Follow the tile-parts by their lengths Psot (A.4.2) from the first to EOC.

    openjpeg takes a padding byte for a byte that is missing.
    """
    while struct.unpack_from(">H", frame, at)[0] == _START_OF_TILE_PART:
        (length,) = struct.unpack_from(">I", frame, at + 6)
        if length == 0:  # the last one may reach as far as EOC, unmeasured
            return
        at += max(length, _TILE_PART_MIN)
    if frame[at : at + 2] != EOC:
        raise PixelError(
            "compressed pixel data is damaged: a tile-part does not end where its length says"
        )
