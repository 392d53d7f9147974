"""Uncompressed pixel data held against its description: not a byte too few, nor a row too many.

Native pixel data has no structure of its own: bytes that were lost or put in shift all that
follow, and the picture is skewed without any decoder's notice. What shows it are the lengths, and
whether data elements follow where it ends.
"""

import struct
from io import SEEK_END
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.uid import UID

from encoders.elements import named, text
from encoders.image import PixelError

UNDEFINED = 0xFFFFFFFF

_LAST = (0xFFFC, 0xFFFC)  # Data Set Trailing Padding (PS3.10 7.2)
_DELIMITER = b"\xdd\xe0\0\0\0\0"  # end of Sequence Delimitation Item FFFE,E0DD (PS3.5 7.5.2)
_LOOK = 1 << 20

_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}


def check_native_length(ds: Dataset, *, declared: int, held: int, frames: int) -> None:
    """Refuse native pixel data that is not as long as its description says.

    Less than a row or a column too many is let pass: writers pad to even length (PS3.5 8.1.1),
    and some to more.

    Args:
        ds: the description (PS3.3 C.7.6.3), checked before.
        declared: length of the value as the element says.
        held: bytes that are there.
        frames: NumberOfFrames.

    Raises:
        PixelError: the value is encapsulated, truncated, or of another size.
    """
    if declared == UNDEFINED:
        raise PixelError(
            "pixel data is encapsulated, which its transfer syntax rules out (PS3.5 A.4); "
            f"correct {named('TransferSyntaxUID')} at the sender"
        )
    due = _bytes_due(ds, frames)
    if min(held, declared) < max(due, declared):
        raise PixelError(
            f"pixel data is truncated: {min(held, declared)} of the {max(due, declared)} bytes "
            "due; send the object again"
        )
    spare = min(ds.Rows, ds.Columns) * ds.BitsAllocated // 8
    if declared - due > max(spare - 1, 1):
        raise PixelError(
            f"pixel data has {declared} bytes; Rows {ds.Rows}, Columns {ds.Columns}, "
            f"SamplesPerPixel {ds.SamplesPerPixel}, BitsAllocated {ds.BitsAllocated} and "
            f"NumberOfFrames {frames} give {due}: one of them is wrong"
        )


def check_what_follows(file: BinaryIO, at: int, syntax: UID) -> None:
    """Refuse a file in which no data elements, nor its end, follow the pixel data.

    Args:
        file: open for reading.
        at: offset of the first byte after the pixel data's value.
        syntax: a native transfer syntax.

    Raises:
        PixelError: bytes follow that are no elements in ascending order (PS3.5 7.1).
    """
    last, end = (0x7FE0, 0x0010), file.seek(0, SEEK_END)
    file.seek(at)
    while head := file.read(8 if syntax.is_implicit_VR else 12):
        tag, size, length = _element(head, syntax)
        if length == UNDEFINED and last < tag <= _LAST and _DELIMITER in file.read(_LOOK):
            return  # a sequence: whatever it holds, it is an element
        if length is None or not last < tag <= _LAST or at + size + length > end:
            raise PixelError(
                "bytes follow the pixel data that are no data elements: some were lost or put "
                "in; send the object again"
            )
        last, at = tag, at + size + length
        file.seek(at)


def _bytes_due(ds: Dataset, frames: int) -> int:
    # YBR_FULL_422 holds two samples per pixel on average (PS3.3 C.7.6.3.1.2)
    halved = text(ds, "PhotometricInterpretation") == "YBR_FULL_422"
    samples: int = ds.Rows * ds.Columns * (2 if halved else ds.SamplesPerPixel)
    return (frames * samples * int(ds.BitsAllocated) + 7) // 8


def _element(head: bytes, syntax: UID) -> tuple[tuple[int, int], int, int | None]:
    """Tag, bytes up to the value, and its length, None where this is no element's head."""
    order = "<" if syntax.is_little_endian else ">"
    if len(head) < 8:
        return (0, 0), 8, None
    group, number = struct.unpack_from(f"{order}HH", head)
    if syntax.is_implicit_VR:
        return (group, number), 8, struct.unpack_from(f"{order}I", head, 4)[0]
    vr = head[4:6]
    if not vr.isalpha():
        return (group, number), 8, None
    if vr in _LONG:
        found = struct.unpack_from(f"{order}I", head, 8)[0] if len(head) == 12 else None
        return (group, number), 12, found
    return (group, number), 8, struct.unpack_from(f"{order}H", head, 6)[0]
