"""Deflated data sets (PS3.5 A.5), inflated as far as they are read and never without bound.

Deflate packs up to 1032 bytes into one: a file of 4 MB can hold 4 GB of zeros.
"""

import io
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset, read_preamble
from pydicom.filewriter import write_file_meta_info
from pydicom.tag import BaseTag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

INFLATED_MAX = 1 << 28
"""Bytes that a data set may inflate to, 256 MiB: 500 CT slices, read in less than 1 GiB."""

HEADER_MAX = 1 << 23
"""Bytes that may be inflated before the pixel data, 8 MiB: some 3,000 frames of an enhanced object.

8 MiB of elements without a value, the worst there is, take pydicom some 3 s to read.
"""

_CHUNK = 1 << 16


class InflateError(ValueError):
    """A deflated data set is damaged, or inflates to more than the bound."""


class InflatedFile(io.RawIOBase):
    """A deflated DICOM file as one in Explicit VR Little Endian, inflated when it is read."""

    def __init__(self, deflated: BinaryIO, *, at_most: int) -> None:
        self._deflated = deflated
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._made = io.BytesIO()
        self._made.write(_head())
        self._bound = 0
        self._at = 0
        self.allow(at_most)

    def allow(self, at_most: int) -> None:
        """Set how many bytes the data set may be inflated to."""
        self._bound = len(_head()) + at_most

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes: what was inflated is kept."""
        return True

    def tell(self) -> int:
        """The offset in the inflated file."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset; to know where the end is, all is inflated.

        Raises:
            InflateError: as for ``read``.
        """
        if whence == io.SEEK_END:
            self._have(None)
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length()}[whence]
        self._at = max(0, start + offset)
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Read so many bytes, or all.

        Raises:
            InflateError: more than the bound would be inflated, or the stream is damaged or
                ends too soon.
        """
        wanted = None if size is None or size < 0 else size
        self._have(None if wanted is None else self._at + wanted)
        self._made.seek(self._at)
        found = self._made.read(wanted)
        self._at += len(found)
        return found

    def _length(self) -> int:
        return self._made.seek(0, io.SEEK_END)

    def _have(self, until: int | None) -> None:
        """Inflate up to an offset, or all."""
        length = self._length()
        while not self._inflate.eof and (until is None or length < until):
            if length >= self._bound:
                raise InflateError(
                    f"the deflated data set holds more than {self._bound >> 20} MiB before "
                    "it ends or its pixel data begins; send it uncompressed"
                )
            length += self._made.write(self._next())

    def _next(self) -> bytes:
        packed = self._inflate.unconsumed_tail or self._deflated.read(_CHUNK)
        try:
            made = self._inflate.decompress(packed, _CHUNK)
        except zlib.error as error:
            raise InflateError(f"the deflated data set is damaged ({error})") from error
        if not (made or packed or self._inflate.eof):
            raise InflateError("the deflated data set is truncated: send it again")
        return made


def read_to_pixels(file: BinaryIO) -> tuple[Dataset, BinaryIO]:
    """Read a file's data set up to its pixel data.

    Args:
        file: in DICOM format, open at its start. It must stay open.

    Returns:
        The data set, with its meta information as it stands in the file; and what to read its
        pixel data from, standing there: the same file, or for a deflated one an
        ``InflatedFile`` in Explicit VR Little Endian, from here on up to INFLATED_MAX.

    Raises:
        InflateError, InvalidDicomError, or others of READ_ERRORS: it cannot be read.
    """
    read_preamble(file, force=False)
    meta = FileMetaDataset(read_dataset(file, False, True, stop_when=_beyond_meta))
    if UID(str(meta.get("TransferSyntaxUID", ""))) != DeflatedExplicitVRLittleEndian:
        file.seek(0)
        return dcmread(file, stop_before_pixels=True), file
    plain = InflatedFile(file, at_most=HEADER_MAX)
    ds = dcmread(plain, stop_before_pixels=True)
    ds.file_meta = meta
    plain.allow(INFLATED_MAX)
    return ds, cast("BinaryIO", plain)


def read_header(path: Path) -> Dataset:
    """Read a DICOM file up to its pixel data, inflating no more than that and HEADER_MAX.

    Raises:
        OSError: it cannot be opened.
        InflateError, InvalidDicomError, or others of READ_ERRORS: it cannot be read.
    """
    with path.open("rb") as file:
        return read_to_pixels(file)[0]


def _beyond_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag.group != 2


def _head() -> bytes:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    head = DicomBytesIO()
    write_file_meta_info(head, meta, enforce_standard=False)
    return bytes(128) + b"DICM" + head.getvalue()
