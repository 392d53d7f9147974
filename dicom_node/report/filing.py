"""Filed right, always: patient and study of whatever we make are the query's, and asserted."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset
from pydicom.valuerep import DA, TM

from storage.answer import StudyRecord

# Type 2 in the Patient and General Study Modules (PS3.3 C.7.1.1, C.7.2.1): present, maybe empty.
_TYPE_2 = (
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
_FILED_BY = (
    "PatientID",
    "IssuerOfPatientID",
    "PatientName",
    "StudyInstanceUID",
    "StudyDate",
    "AccessionNumber",
)


CaseNumber = Callable[[str], str]
"""Gives a Study Instance UID's case number, for reports that must not name other studies."""


class ReportError(Exception):
    """A report cannot be made, or would be filed wrongly; the message says why."""


@dataclass(frozen=True)
class DocumentReference:
    """An earlier report that a new one takes the place of (PS3.3 C.17.2, predecessor)."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str


def patient_and_study(query: StudyRecord) -> Dataset:
    """The query's patient and study modules as they arrived, completed where they have gaps.

    A date, time or sex that is none is left empty, as Type 2 allows; nothing else is changed, so
    that an archive finds the same patient and study by the same text.

    Raises ``ReportError`` where the stored attributes are another patient's or study's.
    """
    header = _readable(query.attributes)
    header.setdefault("StudyInstanceUID", query.study_instance_uid)
    header.setdefault("PatientID", query.patient_id)
    for keyword in _TYPE_2:
        header.setdefault(keyword, None)
    for keyword, kind in (("PatientBirthDate", DA), ("StudyDate", DA), ("StudyTime", TM)):
        if not _is_valid(header.get(keyword), kind):
            setattr(header, keyword, None)
    if str(header.PatientSex) not in {"M", "F", "O"}:
        header.PatientSex = None
    _assert_is_query(header, query)
    return header


def _readable(attributes: Mapping[str, Any]) -> Dataset:
    """A data set of the attributes, without those whose value is none of their VR's."""
    header = Dataset()
    for tag, element in attributes.items():
        with suppress(ValueError, TypeError, OverflowError):
            header.update(Dataset.from_json({tag: element}))
    return header


def _is_valid(value: object, kind: type[DA] | type[TM]) -> bool:
    try:
        kind(str(value or ""))
    except ValueError:
        return False
    return True


def _assert_is_query(header: Dataset, query: StudyRecord) -> None:
    for keyword, expected in (
        ("StudyInstanceUID", query.study_instance_uid),
        ("PatientID", query.patient_id),
    ):
        found = _plain(header, keyword)
        if found != expected.strip():
            raise ReportError(
                f"study {query.study_instance_uid}: its stored attributes name {keyword} "
                f"{found!r}, its record {expected!r}: receive the study again"
            )


def assert_filed(report: Dataset, header: Dataset) -> None:
    """The last look before a report leaves: never one filed under another patient.

    Raises ``ReportError`` where patient, study, study date or accession number is not the query's.
    """
    for keyword in _FILED_BY:
        found, expected = _plain(report, keyword), _plain(header, keyword)
        if found != expected:
            raise ReportError(
                f"the report would be filed under {keyword} {found!r} and not {expected!r}: "
                "it was not written"
            )


def _plain(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip()
