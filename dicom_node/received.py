"""From a spooled file's header to the record that the database keeps of it."""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from dicom_node.part10 import dataset_digest
from dicom_node.report.stored_elements import printable
from dicom_node.spool import received_at
from encoders.deflated import read_header
from encoders.elements import READ_ERRORS, explain
from encoders.eligibility import left_out_because
from encoders.header import HeaderError, ImageHeader
from storage.received import ReceivedInstance

STUDY_ATTRIBUTES = (
    "SpecificCharacterSet",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "ReferringPhysicianName",
    "StudyDescription",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "StudyInstanceUID",
    "StudyID",
)
"""What of the patient and study modules (PS3.3 C.7.1.1, C.7.2.1) answers and reports need."""

_ESCAPE = re.compile(r"\x1b[\x20-\x2f]+[\x30-\x7e]")
"""An escape sequence that designates a character set (ISO/IEC 2022, 13.2)."""

MALFORMED = READ_ERRORS
"""What pydicom was seen to raise on malformed elements."""


class UnreadableError(Exception):
    """A file that cannot be taken in; the message says why."""


def read_received(path: Path, name: str) -> ReceivedInstance:
    """Reads a spooled file's header, without its pixels.

    Raises:
        UnreadableError: it is no DICOM file, is malformed, or lacks an identifying UID.
    """
    try:
        dataset = read_header(path)
        return _received(dataset, path, name)
    except MALFORMED as fault:
        raise UnreadableError(f"not readable as DICOM ({explain(fault)})") from fault


def _received(dataset: Dataset, path: Path, name: str) -> ReceivedInstance:
    header, left_out = _image_header(dataset)
    return ReceivedInstance(
        study_instance_uid=_uid(dataset, "StudyInstanceUID"),
        series_instance_uid=_uid(dataset, "SeriesInstanceUID"),
        sop_instance_uid=_uid(dataset, "SOPInstanceUID"),
        sop_class_uid=_uid(dataset, "SOPClassUID"),
        transfer_syntax_uid=_uid(dataset.file_meta, "TransferSyntaxUID"),
        modality=_text(dataset, "Modality") or "",
        series_description=_text(dataset, "SeriesDescription"),
        **study_facts(dataset),
        header=header,
        left_out=left_out,
        spool_name=name,
        sha256=dataset_digest(path),
        size_bytes=path.stat().st_size,
        calling_ae=_text(dataset.file_meta, "SourceApplicationEntityTitle") or "",
        received_at=received_at(name),
        device_uid=_text(dataset, "DeviceUID"),
        device_serial_number=_text(dataset, "DeviceSerialNumber"),
    )


def _image_header(dataset: Dataset) -> tuple[Mapping[str, Any] | None, str | None]:
    """The header, and why the instance shows nothing to embed, by itself; None where it may."""
    try:
        header = ImageHeader.from_dataset(dataset)
    except HeaderError as fault:
        return None, str(fault)
    return header.to_json(), left_out_because(header)


def maker_of(received: ReceivedInstance) -> dict[str, str | None]:
    """What tells whether we made an instance ourselves, by keyword (PS3.3 C.7.5.1)."""
    return {
        "SOPClassUID": received.sop_class_uid,
        "DeviceUID": received.device_uid,
        "DeviceSerialNumber": received.device_serial_number,
    }


def _uid(dataset: Dataset, keyword: str) -> str:
    value = _storable(str(dataset.get(keyword) or "")).strip()
    if not value:
        raise UnreadableError(f"{keyword} is missing")
    if len(value) > 64 or not re.fullmatch(r"[0-9.]+", value):
        raise UnreadableError(f"{keyword} is no UID ({len(value)} characters; PS3.5 9.1)")
    return value


def _text(dataset: Dataset, keyword: str) -> str | None:
    """The attribute as text; None where absent or empty, or bytes that are no text."""
    value = dataset.get(keyword) or ""
    if isinstance(value, bytes):  # under a VR that is not its own
        value = printable(value) or ""
    return _storable(str(value)).strip() or None


def study_facts(dataset: Dataset) -> dict[str, Any]:
    """What a ``ReceivedInstance`` and a ``StudyRecord`` both say of the patient and the study."""
    return {
        "patient_id": _text(dataset, "PatientID") or "",
        "issuer_of_patient_id": _text(dataset, "IssuerOfPatientID") or "",
        "sex": _text(dataset, "PatientSex"),
        "age": age_in_years(
            _text(dataset, "PatientAge"),
            born=_text(dataset, "PatientBirthDate"),
            at=_text(dataset, "StudyDate"),
        ),
        "study_date": _text(dataset, "StudyDate"),
        "description": _text(dataset, "StudyDescription"),
        "attributes": _study_attributes(dataset),
    }


def _study_attributes(dataset: Dataset) -> dict[str, Any]:
    """The patient and study modules in the DICOM JSON model (PS3.18 F.2)."""
    kept = Dataset()
    for keyword in STUDY_ATTRIBUTES:
        if keyword in dataset:
            kept[keyword] = dataset[keyword]
    attributes: dict[str, Any] = _all_storable(kept.to_json_dict())
    return attributes


def _all_storable(value: Any) -> Any:
    if isinstance(value, str):
        return _storable(value)
    if isinstance(value, dict):
        return {key: _all_storable(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_all_storable(entry) for entry in value]
    return value


def _storable(text: str) -> str:
    """Text as PostgreSQL and a report in UTF-8 may hold it.

    PostgreSQL refuses U+0000, with which some senders pad. pydicom leaves the escape sequences of
    ISO 2022 IR 58 (Chinese, PS3.5 annex K) in what it decodes.
    """
    return _ESCAPE.sub("", text.replace("\0", ""))


def age_in_years(age: str | None, *, born: str | None, at: str | None) -> int | None:
    """Whole years from an Age String (PS3.5 6.2, AS), else from two DICOM dates, else None."""
    if age and (match := re.fullmatch(r"(\d{3})([DWMY])", age)):
        per_year = {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}
        return int(int(match[1]) / per_year[match[2]])
    first, last = _date(born), _date(at)
    if first is None or last is None or last < first:
        return None
    return last.year - first.year - ((last.month, last.day) < (first.month, first.day))


def _date(value: str | None) -> date | None:
    try:
        return date.fromisoformat(value) if value and re.fullmatch(r"\d{8}", value) else None
    except ValueError:
        return None
