"""The same report in a plainer SOP class, for a peer that does not take the one it was made in."""

import uuid

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID

from dicom_node.report.filing import ReportError
from dicom_node.report.items import dataset
from dicom_node.sop_classes import REPORT_STORAGE


def as_sop_class(report: Dataset, sop_class_uid: str) -> Dataset:
    """The report, which is left as it is, as an instance of a plainer class of ``REPORT_STORAGE``.

    Its tree has nothing that the plainest class forbids (PS3.3 A.35.2), so that it stays the same;
    the two data sets share it. The SOP Instance UID is derived from the report's and the class
    (PS3.5 B.2): a repeated send carries the same one. A predecessor of a richer class is named by
    the UID that it was derived to in its time. In its own class a report is what it was.

    Raises:
        ReportError: one of the two classes is none of ``REPORT_STORAGE``, or the report's is the
            plainer.
    """
    _assert_plainer(str(report.SOPClassUID), sop_class_uid)
    made = Dataset({element.tag: element for element in report})
    made.file_meta = FileMetaDataset()
    made.file_meta.update(report.file_meta)
    if report.SOPClassUID == sop_class_uid:
        return made
    # New elements, not new values in those that the report still has
    made.update(
        dataset(
            SOPClassUID=sop_class_uid,
            SOPInstanceUID=derived_uid(report.SOPInstanceUID, sop_class_uid),
        )
    )
    if "PredecessorDocumentsSequence" in report:
        predecessors = [_study(item, sop_class_uid) for item in report.PredecessorDocumentsSequence]
        made.update(dataset(PredecessorDocumentsSequence=predecessors))
    made.file_meta.update(
        dataset(
            MediaStorageSOPClassUID=made.SOPClassUID,
            MediaStorageSOPInstanceUID=made.SOPInstanceUID,
        )
    )
    return made


def derived_uid(sop_instance_uid: str, sop_class_uid: str) -> UID:
    """The UID of an instance's stand-in in another class: a version 5 UUID (PS3.5 B.2)."""
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'{sop_instance_uid}/{sop_class_uid}').int}")


def _assert_plainer(found: str, wanted: str) -> None:
    if found not in REPORT_STORAGE or wanted not in REPORT_STORAGE:
        raise ReportError(f"no report of SOP class {found} can be sent as one of {wanted}")
    if REPORT_STORAGE.index(UID(wanted)) < REPORT_STORAGE.index(UID(found)):
        raise ReportError(f"a report of SOP class {found} was not made to be one of {wanted}")


def _study(item: Dataset, sop_class_uid: str) -> Dataset:
    return dataset(
        StudyInstanceUID=item.StudyInstanceUID,
        ReferencedSeriesSequence=[
            dataset(
                SeriesInstanceUID=series.SeriesInstanceUID,
                ReferencedSOPSequence=[
                    _reference(sop, sop_class_uid) for sop in series.ReferencedSOPSequence
                ],
            )
            for series in item.ReferencedSeriesSequence
        ],
    )


def _reference(sop: Dataset, sop_class_uid: str) -> Dataset:
    """A predecessor as the peer has it: derived where it was richer, else as it is."""
    found, uid = sop.ReferencedSOPClassUID, sop.ReferencedSOPInstanceUID
    richer = REPORT_STORAGE[: REPORT_STORAGE.index(UID(sop_class_uid))]
    if found in richer:
        found, uid = sop_class_uid, derived_uid(uid, sop_class_uid)
    return dataset(ReferencedSOPClassUID=found, ReferencedSOPInstanceUID=uid)
