"""DICOM files (PS3.10 7.1) taken as bytes: where the data set begins, and its digest."""

import hashlib
from pathlib import Path

from pydicom.errors import InvalidDicomError

_PREFIX_END = 128 + 4
_GROUP_LENGTH = b"\x02\x00\x00\x00UL\x04\x00"
"""(0002,0000), which must come first, up to its value."""
_HEAD = _PREFIX_END + len(_GROUP_LENGTH) + 4


def data_set_start(path: Path) -> int:
    """The offset of the data set: after preamble, prefix and File Meta Information.

    Raises:
        InvalidDicomError: the file does not begin with these.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head[128:_PREFIX_END] != b"DICM" or head[_PREFIX_END:-4] != _GROUP_LENGTH:
        raise InvalidDicomError("no DICOM file: prefix or File Meta Information is missing")
    return _HEAD + int.from_bytes(head[-4:], "little")


def dataset_digest(path: Path) -> str:
    """SHA-256 of the data set as it stands in a file, without the File Meta Information.

    Raises:
        InvalidDicomError, OSError: as for ``data_set_start``.
    """
    start = data_set_start(path)
    with path.open("rb") as file:
        file.seek(start)
        return hashlib.file_digest(file, "sha256").hexdigest()
