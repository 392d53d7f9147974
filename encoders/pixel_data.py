"""One frame's stored values, decoded from a file or dataset that nobody vouches for."""

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import SEEK_END
from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from encoders.compressed import check_high_bit, decode_compressed
from encoders.decodable import decoders_of, is_native
from encoders.deflated import read_to_pixels
from encoders.elements import READ_ERRORS, explain, integer, named, text, value
from encoders.image import PixelError
from encoders.native import check_native_length, check_what_follows

PIXELS_MAX = 50_000_000
"""Rows x columns that a frame may declare: twice the largest mammogram, under 1 GiB of work."""


_PIXEL_DATA = (0x7FE0, 0x0010)


@dataclass(frozen=True)
class PixelSource:
    """A dataset, and where its pixel data is.

    Attributes:
        ds: the dataset; it holds its pixel data only where ``file`` is None.
        transfer_syntax: of the file or the dataset's file meta information.
        file: the open file, else None.
        value_at: offset in the file of the pixel data's value.
        declared: length of the value as the element says.
        held: bytes that the file has from there to its end.
    """

    ds: Dataset
    transfer_syntax: UID
    file: BinaryIO | None
    value_at: int
    declared: int
    held: int


@dataclass(frozen=True)
class StoredFrame:
    """Stored values of one frame, shape (rows, columns), or (rows, columns, 3) as RGB.

    ``decoder`` names what decoded them, ``native`` where they were not compressed.
    """

    values: NDArray[Any]
    decoder: str


@contextmanager
def open_pixels(source: Path | Dataset) -> Iterator[PixelSource]:
    """Open an object for decoding; only the attributes before the pixel data are read.

    Args:
        source: a file in DICOM format, or a dataset with file meta information and pixel data.

    Raises:
        PixelError: it is no DICOM file, is damaged, or has no pixel data or transfer syntax.
    """
    if isinstance(source, Dataset):
        yield _in_memory(source)
        return
    try:
        file = source.open("rb")
    except OSError as error:
        raise PixelError(f"{source.name} cannot be opened ({explain(error)})") from error
    with file:
        yield _in_file(file)


def number_of_frames(ds: Dataset) -> int:
    """NumberOfFrames, 1 where it is absent or 0.

    Raises:
        PixelError: it is no whole number, or negative.
    """
    count = integer(ds, "NumberOfFrames") or 1
    if count < 1:
        raise PixelError(f"{named('NumberOfFrames')} is {count}")
    return count


def decode_frame(pixels: PixelSource, index: int) -> StoredFrame:
    """Decode one frame and no other.

    YBR_FULL, YBR_FULL_422, YBR_RCT and YBR_ICT come out as RGB, PALETTE COLOR as indices. What
    the attributes declare is checked before anything is allocated, and against what the
    compressed frame says of itself (PS3.5 8.2).

    Args:
        pixels: from ``open_pixels``, still open.
        index: of the frame, from 0.

    Raises:
        PixelError: there is no such frame; sizes absurd, contradictory or not filled by the
            data; a transfer syntax that cannot be decoded here; or the decoder gave up.
    """
    _check_description(pixels.ds)
    frames = number_of_frames(pixels.ds)
    if not 0 <= index < frames:
        raise PixelError(f"frame {index + 1} is asked for; {named('NumberOfFrames')} is {frames}")
    try:
        if is_native(pixels.transfer_syntax):
            return _native(pixels, index)
        return _compressed(pixels, index)
    except READ_ERRORS as error:
        raise PixelError(
            f"{pixels.transfer_syntax.name} pixel data cannot be decoded ({explain(error)}); "
            "send the object again, or uncompressed"
        ) from error


def _in_memory(ds: Dataset) -> PixelSource:
    data = value(ds, "PixelData")
    if not isinstance(data, bytes | bytearray):
        raise PixelError("no pixels: Pixel Data (7FE0,0010) is missing")
    return PixelSource(ds, _transfer_syntax(ds), None, 0, len(data), len(data))


def _in_file(file: BinaryIO) -> PixelSource:
    try:
        ds, file = read_to_pixels(file)
        syntax = _transfer_syntax(ds)
        tag_at = file.tell()
        head, declared = _pixel_element(file.read(12), syntax)
        held = file.seek(0, SEEK_END) - tag_at - head
    except READ_ERRORS as error:
        raise PixelError(f"the file cannot be read as DICOM ({explain(error)})") from error
    return PixelSource(ds, syntax, file, tag_at + head, declared, held)


def _transfer_syntax(ds: Dataset) -> UID:
    meta = getattr(ds, "file_meta", None)
    found = None if meta is None else text(meta, "TransferSyntaxUID")
    if found is None:
        raise PixelError(f"{named('TransferSyntaxUID')} is missing; write the file with it")
    if not re.fullmatch(r"[0-9.]{1,64}", found):  # never quoted: it may be anything
        raise PixelError(f"{named('TransferSyntaxUID')} is no UID (PS3.5 9.1)")
    if not (is_native(found) or decoders_of(found)):
        raise PixelError(
            f"no decoder for transfer syntax {UID(found).name} ({found}) here; "
            "send the object uncompressed"
        )
    return UID(found)


def _pixel_element(head: bytes, syntax: UID) -> tuple[int, int]:
    """Bytes from the element's start to its value, and the value's declared length."""
    order = "<" if syntax.is_little_endian else ">"
    implicit = syntax.is_implicit_VR
    if len(head) < 12 or struct.unpack_from(f"{order}HH", head) != _PIXEL_DATA:
        raise PixelError("no pixels: Pixel Data (7FE0,0010) is missing")
    (length,) = struct.unpack_from(f"{order}I", head, 4 if implicit else 8)
    return (8 if implicit else 12), length


def _check_description(ds: Dataset) -> None:
    """Refuse what the Image Pixel Module (PS3.3 C.7.6.3) rules out, before any allocation."""
    rows, columns = _positive(ds, "Rows"), _positive(ds, "Columns")
    if rows * columns > PIXELS_MAX:
        raise PixelError(
            f"(0028,0010) Rows {rows} x (0028,0011) Columns {columns} declare more than the "
            f"{PIXELS_MAX} pixels allowed"
        )
    samples, allocated = _positive(ds, "SamplesPerPixel"), _positive(ds, "BitsAllocated")
    if samples not in (1, 3):
        raise PixelError(f"{named('SamplesPerPixel')} is {samples}; only 1 and 3 are supported")
    if allocated not in (1, 8, 16, 32):
        raise PixelError(f"{named('BitsAllocated')} is {allocated}; only 1, 8, 16, 32 are known")
    stored = _positive(ds, "BitsStored")
    if stored > allocated:
        raise PixelError(f"{named('BitsStored')} {stored} is more than BitsAllocated {allocated}")
    if integer(ds, "PixelRepresentation") not in (0, 1):
        raise PixelError(f"{named('PixelRepresentation')} is neither 0 nor 1")


def _positive(ds: Dataset, keyword: str) -> int:
    found = integer(ds, keyword)
    if found is None or found < 1:
        state = "missing" if found is None else f"{found}"
        raise PixelError(f"{named(keyword)} is {state}; the image cannot be described without it")
    return found


def _native(pixels: PixelSource, index: int) -> StoredFrame:
    ds = pixels.ds
    check_high_bit(ds)
    check_native_length(ds, declared=pixels.declared, held=pixels.held, frames=number_of_frames(ds))
    if pixels.file is not None:
        end = pixels.value_at + pixels.declared
        check_what_follows(pixels.file, end, pixels.transfer_syntax)
    source = pixels.ds if pixels.file is None else pixels.file
    return StoredFrame(pixel_array(source, index=index), "native")


def _compressed(pixels: PixelSource, index: int) -> StoredFrame:
    frame = _encoded_frame(pixels, index)
    values, decoder = decode_compressed(frame, pixels.ds, pixels.transfer_syntax)
    return StoredFrame(values, decoder)


def _encoded_frame(pixels: PixelSource, index: int) -> bytes:
    count = number_of_frames(pixels.ds)
    if pixels.file is None:
        return get_frame(pixels.ds.PixelData, index, number_of_frames=count)
    pixels.file.seek(pixels.value_at)
    return get_frame(pixels.file, index, number_of_frames=count)
