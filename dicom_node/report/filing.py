"""Filed right, always: patient and study of whatever we make are the query's, and asserted."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.config import RAISE
from pydicom.tag import Tag
from pydicom.valuerep import DA, TM, validate_value

from dicom_node.report.stored_elements import under_own_vr
from storage.answer import StudyRecord

# What an object of the query's study has in common with the query (PS3.3 C.7.1.1, C.7.2.1,
# C.7.2.2): by some of it an archive files, and a difference in the rest makes it ask a person.
_TYPE_2 = (  # present, maybe empty
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
_OPTIONAL = (
    "IssuerOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "IssuerOfAccessionNumberSequence",
    "StudyDescription",
    "PatientAge",
)
_IN_COMMON = ("StudyInstanceUID", *_TYPE_2, *_OPTIONAL)
_TAGS = {f"{Tag(keyword):08X}" for keyword in _IN_COMMON}

_MAY_GO = ("ReferringPhysicianName", "StudyDescription", "PatientAge")
"""Of those, what no archive files by: not taken over where its VR forbids the value."""

CaseNumber = Callable[[str], str]
"""Gives a Study Instance UID's case number, for reports that must not name other studies."""


class ReportError(Exception):
    """A report cannot be made, or would be filed wrongly; the message says why."""


@dataclass(frozen=True)
class DocumentReference:
    """A SOP instance that a report names, with its study and series (PS3.3 table C.17-3)."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str


def patient_and_study(query: StudyRecord) -> Dataset:
    """What every object in the query's study says of patient and study, in ISO_IR 192.

    Taken over as it arrived and completed where it has gaps. A date, time or sex that is none is
    left empty, as Type 2 allows, and a description, age or physician's name that breaks its VR is
    not taken over. What an archive files by is never changed, even where it breaks its VR, so
    that the archive finds the same patient and study by the same text. An element that came under
    another VR than its own is written under its own.

    A Timezone Offset From UTC (0008,0201) is not taken over: it would hold for the times that we
    write by our own clock. Without one, all times are local ones (PS3.3 C.12.1.1).

    Raises ``ReportError`` where the stored attributes are another patient's or study's.
    """
    header = _readable(query.attributes)
    header.SpecificCharacterSet = "ISO_IR 192"
    header.setdefault("StudyInstanceUID", query.study_instance_uid)
    header.setdefault("PatientID", query.patient_id)
    if query.issuer_of_patient_id:
        header.setdefault("IssuerOfPatientID", query.issuer_of_patient_id)
    for keyword in _MAY_GO:
        if keyword in header and not _fits(header[keyword]):
            del header[keyword]
    for keyword in _TYPE_2:
        header.setdefault(keyword, None)
    for keyword, kind in (("PatientBirthDate", DA), ("StudyDate", DA), ("StudyTime", TM)):
        if not is_valid(header.get(keyword), kind):
            setattr(header, keyword, None)
    if _plain(header, "PatientSex") not in {"M", "F", "O"}:
        header.PatientSex = None
    _assert_is_query(header, query)
    return header


def _readable(attributes: Mapping[str, Any]) -> Dataset:
    """A data set of the attributes in common, each under its own VR, without those whose value is
    none of that."""
    header = Dataset()
    for tag in _TAGS.intersection(attributes):
        with suppress(ValueError, TypeError, OverflowError, KeyError, AttributeError):
            element = under_own_vr(tag, attributes[tag])
            if element.get("Value"):
                header.update(Dataset.from_json({tag: element}))
    return header


def _fits(element: DataElement) -> bool:
    """Whether all values are what the VR allows (PS3.5 6.2)."""
    try:
        for value in element.value if element.VM > 1 else [element.value]:
            validate_value(element.VR, str(value or ""), RAISE)
    except ValueError:
        return False
    return True


def is_valid(value: object, kind: type[DA] | type[TM]) -> bool:
    """Whether a date or time is empty or one in today's form: dates once had separators."""
    text = str(value or "")
    try:
        kind(text)
    except ValueError:
        return False
    return "." not in text[:6]


def _assert_is_query(header: Dataset, query: StudyRecord) -> None:
    for keyword, expected in (
        ("StudyInstanceUID", query.study_instance_uid),
        ("PatientID", query.patient_id),
        ("IssuerOfPatientID", query.issuer_of_patient_id),
    ):
        found = _plain(header, keyword)
        if found != expected.strip():
            raise ReportError(
                f"study {query.study_instance_uid}: its stored attributes name {keyword} "
                f"{found!r}, its record {expected!r}: receive the study again"
            )


def assert_filed(report: Dataset, header: Dataset) -> None:
    """The last look before a report leaves: never one filed under another patient.

    Raises ``ReportError`` where anything that it has in common with its study is not the query's.
    """
    for keyword in _IN_COMMON:
        found, expected = _plain(report, keyword), _plain(header, keyword)
        if found != expected:
            raise ReportError(
                f"the report would be filed under {keyword} {found!r} and not {expected!r}: "
                "it was not written"
            )


def _plain(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip()
