"""What goes back for an answer: the report and, where it is wanted, the picture beside it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

from pydicom import Dataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    generate_uid,
)

from dicom_node.report.capture import make_picture
from dicom_node.report.device import Device
from dicom_node.report.document import References, make_report
from dicom_node.report.encoding import UNWRITABLE, report_file
from dicom_node.report.filing import CaseNumber, DocumentReference, ReportError
from dicom_node.settings import ReportSettings
from storage.answer import Answer
from storage.pictures import Pictures

__all__ = ["CaseNumber", "Documents", "encoded", "make_documents"]

_SOP_CLASSES = {
    "comprehensive 3d": Comprehensive3DSRStorage,
    "comprehensive": ComprehensiveSRStorage,
    "enhanced": EnhancedSRStorage,
}


@dataclass(frozen=True)
class Documents:
    """A report, and the picture that it refers to if there is one: each in its own series."""

    report: Dataset
    picture: Dataset | None


def make_documents(
    answer: Answer,
    *,
    device: Device,
    rules: ReportSettings,
    pictures: Callable[[], Pictures],
    case_number: CaseNumber | None = None,
    predecessor: DocumentReference | None = None,
    created: datetime | None = None,
) -> Documents:
    """Makes what goes back for an answer, under UIDs of its own.

    Args:
        answer: what was found.
        device: the author.
        rules: what the site wants of a report.
        pictures: gives the pictures of the answer's images; asked only if they are shown.
        case_number: names the similar studies where their UIDs must not be told.
        predecessor: the report that this one takes the place of.
        created: when, by the clock of the site; now if not given.

    Raises:
        ReportError: the answer cannot be put in a report, or it would be filed wrongly.
    """
    created = created or datetime.now()
    picture = None
    if rules.picture:
        picture = make_picture(
            answer,
            pictures(),
            device=device,
            sop_instance_uid=generate_uid(prefix=None),
            series_instance_uid=generate_uid(prefix=None),
            created=created,
            case_number=case_number,
        )
    report = make_report(
        answer,
        device=device,
        sop_instance_uid=generate_uid(prefix=None),
        series_instance_uid=generate_uid(prefix=None),
        created=created,
        sop_class_uid=_SOP_CLASSES[rules.sop_class],
        refers_to=References(predecessor, None if picture is None else _reference(picture)),
        case_number=case_number,
    )
    return Documents(report, picture)


def _reference(document: Dataset) -> DocumentReference:
    return DocumentReference(
        document.StudyInstanceUID,
        document.SeriesInstanceUID,
        document.SOPClassUID,
        document.SOPInstanceUID,
    )


def encoded(document: Dataset) -> bytes:
    """The document as a DICOM file (PS3.10).

    Raises:
        ReportError: it holds a value that cannot be written.
    """
    if "PixelData" not in document:
        return report_file(document)
    buffer = BytesIO()
    try:
        document.save_as(buffer, enforce_file_format=True)
    except UNWRITABLE as fault:
        raise ReportError(f"the picture cannot be written: {fault}") from fault
    return buffer.getvalue()
