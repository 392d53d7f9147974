"""The answer as a DICOM Structured Report, filed under the query's patient and study.

The content tree is made in ``tree``; here it gets its header, module by module, and is checked
before anybody sees it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian

from dicom_node.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_node.report.codes import fit
from dicom_node.report.device import Device
from dicom_node.report.evidence import hierarchy, of_image
from dicom_node.report.filing import (
    CaseNumber,
    DocumentReference,
    ReportError,
    assert_filed,
    patient_and_study,
)
from dicom_node.report.findings import scheme_items
from dicom_node.report.items import dataset
from dicom_node.report.privacy import ShownStudy, priors, similar_studies
from dicom_node.report.tree import content_tree
from dicom_node.sop_classes import REPORT_STORAGE
from storage.answer import Answer

SERIES_NUMBER = 9900


@dataclass(frozen=True)
class References:
    """The other documents that a report names: the one that it takes the place of, and its
    picture."""

    predecessor: DocumentReference | None = None
    picture: DocumentReference | None = None


def make_report(
    answer: Answer,
    *,
    device: Device,
    sop_instance_uid: str,
    series_instance_uid: str,
    created: datetime,
    sop_class_uid: str = Comprehensive3DSRStorage,
    refers_to: References = References(),
    case_number: CaseNumber | None = None,
) -> Dataset:
    """Make the report of an answer, ready to be written or sent (Explicit VR Little Endian).

    It is UNVERIFIED and PRELIMINARY, in ISO_IR 192, in a series of its own within the query's
    study. ``created`` is written by its own clock, without a time zone: one would hold for the
    query's study time as well. The same arguments give the same data set.

    Args:
        answer: what was found.
        device: the author.
        sop_instance_uid: the report's own.
        series_instance_uid: its series, in which there is nothing else.
        created: when.
        sop_class_uid: one of ``REPORT_STORAGE``; the tree is the same in each.
        refers_to: its predecessor and its picture, where there are such.
        case_number: names the studies of other patients, of which no UID, date or image is told
            then; the patient's own priors stay as they are.

    Raises:
        ReportError: the answer cannot be put in a report, or the report would not be filed under
            the query's patient and study.
    """
    if sop_class_uid not in REPORT_STORAGE:
        raise ReportError(f"{sop_class_uid} is none of the SOP classes that reports are made in")
    header = patient_and_study(answer.query)
    similar, own = similar_studies(answer, case_number), priors(answer)
    root = content_tree(
        answer,
        similar=similar,
        priors=own,
        device=device,
        report_uid=sop_instance_uid,
        picture=refers_to.picture,
    )
    report = dataset(
        SOPClassUID=sop_class_uid,
        SOPInstanceUID=sop_instance_uid,
        SeriesInstanceUID=series_instance_uid,
        CodingSchemeIdentificationSequence=scheme_items(
            label for study in (*similar, *own) for label in study.labels
        ),
        **_general(created),
        **_equipment(device),
        **_evidence(answer, [*similar, *own], refers_to),
    )
    report.update(root)
    report.update(header)
    report.file_meta = _file_meta(report)
    assert_filed(report, header)
    return report


def _general(created: datetime) -> dict[str, Any]:
    """SOP Common, SR Document Series and SR Document General (PS3.3 C.12.1, C.17.1, C.17.2)."""
    date, time = _date_and_time(created)
    return {
        "InstanceCreationDate": date,
        "InstanceCreationTime": time,
        "Modality": "SR",
        "SeriesNumber": SERIES_NUMBER,
        "SeriesDate": date,
        "SeriesTime": time,
        "SeriesDescription": "Similar studies",
        "ReferencedPerformedProcedureStepSequence": [],
        "InstanceNumber": 1,
        "ContentDate": date,
        "ContentTime": time,
        "CompletionFlag": "COMPLETE",
        "VerificationFlag": "UNVERIFIED",
        "PreliminaryFlag": "PRELIMINARY",
        "PerformedProcedureCodeSequence": [],
    }


def _date_and_time(moment: datetime) -> tuple[str, str]:
    """DA and TM (PS3.5 6.2); a whole second without its zeros."""
    return f"{moment:%Y%m%d}", f"{moment:%H%M%S.%f}".removesuffix(".000000")


def _equipment(device: Device) -> dict[str, Any]:
    """The Enhanced General Equipment Module (PS3.3 C.7.5.2), Type 1 in Comprehensive 3D SR."""
    return {
        "Manufacturer": fit(device.manufacturer),
        "ManufacturerModelName": fit(device.model_name),
        "DeviceSerialNumber": device.uid,
        "DeviceUID": device.uid,
        "SoftwareVersions": fit(device.software_version) or "unknown",
        "StationName": fit(device.ae_title, 16),
    }


def _evidence(
    answer: Answer, studies: Sequence[ShownStudy], refers_to: References
) -> dict[str, list[Dataset]]:
    """What the tree refers to, that of the query's study apart from that of others, and the
    predecessor (PS3.3 C.17.2): the sequences that hold something."""
    query = answer.query.study_instance_uid
    own = [of_image(query, answer.image)]
    if refers_to.picture:
        own.append(refers_to.picture)
    shown = [
        of_image(study.study_instance_uid, study.image)
        for study in studies
        if study.study_instance_uid and study.image
    ]
    own += [one for one in shown if one.study_instance_uid == query]
    sequences = {
        "CurrentRequestedProcedureEvidenceSequence": hierarchy(own),
        "PertinentOtherEvidenceSequence": hierarchy(
            one for one in shown if one.study_instance_uid != query
        ),
        "PredecessorDocumentsSequence": hierarchy(
            [refers_to.predecessor] if refers_to.predecessor else []
        ),
    }
    return {keyword: items for keyword, items in sequences.items() if items}


def _file_meta(report: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = report.SOPClassUID
    meta.MediaStorageSOPInstanceUID = report.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta
