"""Made answers, the reports of them as a reader gets them, and ways to look into those."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from io import BytesIO
from typing import Any

import pydicom
from pydicom import Dataset

from dicom_node.report.codes import Private
from dicom_node.report.device import Device
from dicom_node.report.document import make_report
from dicom_node.report.encoding import report_file
from storage import case_numbers
from storage.answer import Answer, Hit, ImageReference, Label, SpaceSummary, StudyRecord

CR = "1.2.840.10008.5.1.4.1.1.1"
DX = "1.2.840.10008.5.1.4.1.1.1.1"
MG = "1.2.840.10008.5.1.4.1.1.1.2"
CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
MR = "1.2.840.10008.5.1.4.1.1.4"
RETIRED_US = "1.2.840.10008.5.1.4.1.1.6"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
DEVICE = Device(uid="2.25.314159265358979", ae_title="LIKENESS", software_version="0.1.0")
CREATED = datetime(2024, 5, 6, 7, 8, 9)
SPACE = SpaceSummary(
    "0123456789abcdef", "baseline", "3", "", "resize 224", "2", "1", "mean", 768, "cosine"
)
CARDIOMEGALY = Label("Cardiomegaly", 1, "8186001", "SCT")
LABELS = (CARDIOMEGALY, Label("Tube in place"), Label("Pneumothorax", 0, "36118008", "SCT"))
QUERY_ATTRIBUTES = {
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Query^Patient"}]},
    "00100020": {"vr": "LO", "Value": ["QUERY"]},
    "00100030": {"vr": "DA", "Value": ["19500102"]},
    "00100040": {"vr": "CS", "Value": ["F"]},
    "00080020": {"vr": "DA", "Value": ["20240105"]},
    "00080030": {"vr": "TM", "Value": ["101112"]},
    "00080050": {"vr": "SH", "Value": ["ACC-1"]},
    "00080090": {"vr": "PN"},
    "00200010": {"vr": "SH", "Value": ["S1"]},
    "0020000D": {"vr": "UI", "Value": ["1.2.3.1"]},
}
CASE_NUMBER = partial(case_numbers.case_number, bytes(32))


def study(number: int, **changes: Any) -> StudyRecord:
    patient = f"P{number}"
    attributes = {"00100020": {"vr": "LO", "Value": [patient]}}
    uid = f"1.2.3.{number}"
    record = StudyRecord(number, uid, patient, "", "M", 61, "20200304", "chest", attributes)
    return replace(record, **changes)


def image(number: int, **changes: Any) -> ImageReference:
    uid = f"1.2.3.{number}"
    return replace(
        ImageReference(f"{uid}.1", DX, f"{uid}.1.1", None, "DX", "CHEST", "PA"), **changes
    )


def hit(rank: int, number: int, **changes: Any) -> Hit:
    similarity = 0.987654321 - rank / 64
    return replace(
        Hit(rank, study(number), image(number), similarity, 99.5 - rank, LABELS), **changes
    )


def answer(**changes: Any) -> Answer:
    query = study(1, patient_id="QUERY", attributes=QUERY_ATTRIBUTES)
    hits = tuple(hit(rank, 100 + rank) for rank in range(1, 4))
    priors = (hit(1, 50, study=study(50, patient_id="QUERY")),)
    default = Answer(query, image(1), SPACE, 12345, 10, 95.0, hits, priors, {"modality": "DX"})
    return replace(default, **changes)


def answer_about(**image_changes: Any) -> Answer:
    """An answer whose images, the query's and those found, are of another kind."""
    hits = tuple(hit(n, 100 + n, image=image(100 + n, **image_changes)) for n in (1, 2))
    filters = {"modality": image_changes["modality"]}
    return answer(image=image(1, **image_changes), hits=hits, priors=(), filters=filters)


def with_attributes(**elements: dict[str, Any] | None) -> Answer:
    """The answer to a query whose header has other elements; None takes one away."""
    changed = QUERY_ATTRIBUTES | {tag[1:]: element for tag, element in elements.items()}
    attributes = {tag: element for tag, element in changed.items() if element is not None}
    return answer(query=replace(answer().query, attributes=attributes))


def made(given: Answer, **changes: Any) -> Dataset:
    """A report as it leaves ``make_report``."""
    arguments = {"sop_instance_uid": "1.2.9.1.1", "series_instance_uid": "1.2.9.1"} | changes
    return make_report(given, device=DEVICE, created=CREATED, **arguments)


def make(given: Answer, **changes: Any) -> Dataset:
    """A report as a reader gets it: written, and read again."""
    return pydicom.dcmread(BytesIO(report_file(made(given, **changes))))


def walk(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", []):
        yield child
        yield from walk(child)


def meaning(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeMeaning)


def named(item: Dataset, name: str) -> list[Dataset]:
    return [child for child in walk(item) if meaning(child) == name]


def number_of(item: Dataset, name: str) -> float:
    measured = named(item, name)[0].MeasuredValueSequence[0]
    return float(measured.get("FloatingPointValue", measured.NumericValue))


def groups(report: Dataset, finding: Private) -> list[Dataset]:
    """The measurement groups whose Finding is a code of ours, in the order of the document."""
    return [
        group
        for group in named(report, "Measurement Group")
        if named(group, "Finding")[0].ConceptCodeSequence[0].CodeValue == finding.value.value
    ]


def similar_group(**changes: Any) -> Dataset:
    """The measurement group of one similar study, made with the changes."""
    (group,) = groups(make(answer(hits=(hit(1, 7, **changes),))), Private.SIMILAR_STUDY)
    return group


def evidence(report: Dataset) -> dict[str, tuple[str, str, str]]:
    """SOP Instance UID → study, series and SOP class of everything listed as evidence."""
    listed = [
        *report.get("CurrentRequestedProcedureEvidenceSequence", []),
        *report.get("PertinentOtherEvidenceSequence", []),
    ]
    return {
        sop.ReferencedSOPInstanceUID: (
            item.StudyInstanceUID,
            series.SeriesInstanceUID,
            sop.ReferencedSOPClassUID,
        )
        for item in listed
        for series in item.ReferencedSeriesSequence
        for sop in series.ReferencedSOPSequence
    }


def referenced(item: Dataset) -> list[Dataset]:
    return [i.ReferencedSOPSequence[0] for i in walk(item) if i.ValueType == "IMAGE"]
