"""A report as a DICOM file (PS3.10), in Explicit VR Little Endian and UTF-8.

pydicom's writer looks through all that lies below each data set before it writes it, so that the
nine hundred small data sets of a report take it longer than everything else. What is written here
is byte for byte what it writes.
"""

import struct
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.multival import MultiValue

from dicom_node.report.filing import ReportError

_LONG = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
"""The VRs with a length of 32 bits after two reserved bytes (PS3.5 table 7.1-1)."""

_TEXT = frozenset(
    ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UR", "UT")
)
_NUMBERS = {"US": "<H", "SS": "<h", "UL": "<L", "SL": "<l", "FL": "<f", "FD": "<d"}

UNWRITABLE = (ValueError, TypeError, AttributeError, OverflowError, struct.error)
"""What writers raise, ours and pydicom's, of a value that an element's VR cannot hold."""


def report_file(report: Dataset) -> bytes:
    """The file of a report that was made here, with its File Meta Information.

    Raises:
        ReportError: it holds an element of a VR that no report has, or a value that its VR cannot
            hold.
    """
    head = Dataset()
    head.file_meta = report.file_meta
    buffer = BytesIO()
    try:
        head.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue() + data_set(report)
    except UNWRITABLE as fault:
        raise ReportError(f"the report cannot be written: {fault}") from fault


def data_set(made: Dataset) -> bytes:
    """The data set's elements in the order of their tags, sequences in defined length.

    Raises one of ``UNWRITABLE`` for an element of a VR that no report has, or a value that its VR
    cannot hold.
    """
    # keys() and not elements(): what pydicom has read from a file it decodes when it is asked for
    return b"".join(_element(made[tag]) for tag in sorted(made.keys()))


def _element(element: DataElement) -> bytes:
    tag, value = element.tag, _value(element.VR, element.value)
    vr = element.VR if element.VR in _LONG or len(value) <= 0xFFFF else "UN"  # PS3.5 6.2.2
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode("ascii"))
    if vr in _LONG:
        return head + struct.pack("<HL", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def _value(vr: str, value: Any) -> bytes:
    if vr == "SQ":
        return b"".join(_item(item) for item in value)
    if vr == "UI":
        return _padded("\\".join(_values(value)).encode("ascii"), b"\0")
    if vr in _TEXT:
        return _padded("\\".join(_values(value)).encode("utf-8"), b" ")
    if vr in _NUMBERS:
        return struct.pack(_NUMBERS[vr], value)
    raise ValueError(f"no report holds an element of VR {vr}")


def _values(value: Any) -> Sequence[str]:
    if value is None:
        return ()
    return [str(one) for one in value] if isinstance(value, MultiValue) else (str(value),)


def _item(item: Dataset) -> bytes:
    value = data_set(item)
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value


def _padded(value: bytes, filler: bytes) -> bytes:
    """An even number of bytes (PS3.5 6.2)."""
    return value + filler if len(value) % 2 else value
