"""What is known of a report, as JSON for programs; the same over HTTP and on the command line."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
from PIL import Image
from pydicom import Dataset

from dicom_node.report.codes import Private
from dicom_node.reporting import Standing
from storage.reports import ReportName, SendState


def facts(standing: Standing, file: bytes | None) -> dict[str, Any]:
    """A study's state and, if there is one, its report with what became of its sends.

    ``file`` is the report's DICOM file; None where there is no report.
    """
    study, report = standing.study, standing.report
    return {
        "study_instance_uid": study.study_instance_uid,
        "state": study.state,
        "reason": study.reason,
        "revision": study.revision,
        "report": None
        if report is None or file is None
        else _of_report(report, file, standing.sends),
    }


def _of_report(report: ReportName, file: bytes, sends: Sequence[SendState]) -> dict[str, Any]:
    dataset = pydicom.dcmread(BytesIO(file))
    return {
        "sop_class_uid": report.sop_class_uid,
        "sop_instance_uid": report.sop_instance_uid,
        "series_instance_uid": report.series_instance_uid,
        "picture_sop_instance_uid": report.picture_sop_instance_uid,
        "picture_is_kept": report.has_picture,
        "privacy": report.privacy,
        "revision": report.revision,
        "predecessor_sop_instance_uid": _predecessor(dataset),
        "hits": _count_of_hits(dataset),
        "sends": [asdict(send) for send in sends],
    }


def _predecessor(report: Dataset) -> str | None:
    """The SOP Instance UID of the first predecessor document (PS3.3 C.17.2), None without one."""
    for study in report.get("PredecessorDocumentsSequence") or ():
        (series,) = study.ReferencedSeriesSequence
        return str(series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
    return None


def _count_of_hits(report: Dataset) -> int | None:
    """The "Studies returned" that the report itself tells; None if it is not among its items."""
    for item in _items(report):
        name = item.ConceptNameCodeSequence[0] if item.get("ConceptNameCodeSequence") else Dataset()
        code = Private.RETURNED.value
        if (name.get("CodeValue"), name.get("CodingSchemeDesignator")) == (
            code.value,
            code.scheme_designator,
        ):
            return int(item.MeasuredValueSequence[0].NumericValue)
    return None


def _items(parent: Dataset) -> Iterator[Dataset]:
    for item in parent.get("ContentSequence") or ():
        yield item
        yield from _items(item)


def as_png(picture: bytes) -> bytes:
    """The image of a Secondary Capture of 8 bits, gray or RGB, as a PNG file."""
    pixels = pydicom.dcmread(BytesIO(picture)).pixel_array
    buffer = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG")
    return buffer.getvalue()
