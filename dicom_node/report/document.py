"""The answer as a DICOM Structured Report, filed under the query's patient and study.

Comprehensive 3D SR with a TID 1500 root. The content tree is made in ``tree`` of the items in
``items`` and the codes in ``codes``; here it gets its header and is checked before anybody sees it.
"""

from copy import deepcopy
from datetime import datetime

from highdicom import sr
from pydicom import Dataset
from pydicom.valuerep import DA, DT, TM

from dicom_node.report.codes import fit, scheme_items
from dicom_node.report.device import Device
from dicom_node.report.filing import (
    DocumentReference,
    ReportError,
    assert_filed,
    patient_and_study,
)
from dicom_node.report.items import by_rank
from dicom_node.report.tree import content_tree
from storage.answer import Answer, Hit, ImageReference

_COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"


def make_report(
    answer: Answer,
    *,
    device: Device,
    sop_instance_uid: str,
    series_instance_uid: str,
    created: datetime,
    series_number: int = 9900,
    instance_number: int = 1,
    predecessor: DocumentReference | None = None,
) -> Dataset:
    """Make the report of an answer, ready to be written or sent (Explicit VR Little Endian).

    It is UNVERIFIED and PRELIMINARY, in ISO_IR 192, in a series of its own within the query's
    study. ``created`` is written by its own clock, without a time zone. The same arguments give
    the same data set.

    Raises ``ReportError`` where the answer cannot be put in a report or where the report would
    not be filed under the query's patient, study, study date and accession number.
    """
    try:
        header = patient_and_study(answer.query)
        root = content_tree(answer, device, sop_instance_uid)[0]
        # highdicom copies the tree that it is given three times, most of the time that a report
        # takes: it gets the root alone, and the rest is put in after.
        bare = sr.ContainerContentItem(root.name, template_id="1500")
        bare.ContentSequence = []
        document = sr.Comprehensive3DSR(
            # It takes patient and study from the first evidence: this is the query's.
            evidence=[_first_evidence(header, answer.image), *_other_evidence(answer)],
            content=bare,
            series_instance_uid=series_instance_uid,
            series_number=series_number,
            sop_instance_uid=sop_instance_uid,
            instance_number=instance_number,
            is_complete=True,
            previous_versions=[_evidence_of(predecessor)] if predecessor else None,
            specific_character_set="ISO_IR 192",
            series_description="Similar studies",
            content_date=created.date(),
            content_time=created.time(),
            coding_schemes=scheme_items(
                [label for hit in _all_hits(answer) for label in hit.labels]
            ),
            **_equipment(device),
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise ReportError(
            f"no report for study {answer.query.study_instance_uid}: {error}"
        ) from error
    report = Dataset(document)
    report.file_meta = document.file_meta
    report.ContentSequence = root.ContentSequence
    report["PatientName"] = header["PatientName"]
    _finish(report, device, answer.image, created)
    assert_filed(report, header)
    return report


def _first_evidence(header: Dataset, image: ImageReference) -> Dataset:
    """The query's image with patient and study, the evidence that decides where to file.

    Its SOP Class is a stand-in, since highdicom knows the modules of current classes only and the
    query may be of a retired one. ``make_report`` puts the true one in the reference.
    """
    evidence = deepcopy(header)
    evidence.PatientName = None  # highdicom finds fault with names of one component
    evidence.SOPClassUID = _COMPREHENSIVE_3D_SR
    evidence.SOPInstanceUID = image.sop_instance_uid
    evidence.SeriesInstanceUID = image.series_instance_uid
    return evidence


def _other_evidence(answer: Answer) -> list[Dataset]:
    """The images of hits and priors. highdicom counts an instance that comes twice once."""
    return [
        _evidence_of(
            DocumentReference(
                hit.study.study_instance_uid,
                hit.image.series_instance_uid,
                hit.image.sop_class_uid,
                hit.image.sop_instance_uid,
            )
        )
        for hit in _all_hits(answer)
    ]


def _evidence_of(reference: DocumentReference) -> Dataset:
    evidence = Dataset()
    evidence.StudyInstanceUID = reference.study_instance_uid
    evidence.SeriesInstanceUID = reference.series_instance_uid
    evidence.SOPClassUID = reference.sop_class_uid
    evidence.SOPInstanceUID = reference.sop_instance_uid
    return evidence


def _all_hits(answer: Answer) -> list[Hit]:
    return [*by_rank(answer.hits), *by_rank(answer.priors)]


def _equipment(device: Device) -> dict[str, str]:
    """The Enhanced General Equipment Module (PS3.3 C.7.5.2), Type 1 in this class."""
    return {
        "manufacturer": fit(device.manufacturer),
        "manufacturer_model_name": fit(device.model_name),
        "device_serial_number": device.uid,
        "software_versions": fit(device.software_version) or "unknown",
    }


def _finish(report: Dataset, device: Device, image: ImageReference, created: datetime) -> None:
    report.DeviceUID = device.uid
    report.StationName = fit(device.ae_title, 16)
    report.InstanceCreationDate = DA(created.date())
    report.InstanceCreationTime = TM(created.time())
    # highdicom names itself as contributing equipment, by the clock of the machine
    report.ContributingEquipmentSequence[0].ContributionDateTime = DT(created)
    report.SeriesDate, report.SeriesTime = report.ContentDate, report.ContentTime
    first = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    first.ReferencedSOPSequence[0].ReferencedSOPClassUID = image.sop_class_uid
