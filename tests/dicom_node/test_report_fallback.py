"""The same report for a peer that takes a plainer SOP class only."""

from io import BytesIO
from itertools import combinations

import pydicom
import pytest
from pydicom.uid import UID, Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage

from dicom_node.report.document import References
from dicom_node.report.encoding import report_file
from dicom_node.report.fallback import as_sop_class
from dicom_node.report.filing import DocumentReference, ReportError
from dicom_node.sop_classes import REPORT_STORAGE
from tests.dicom_node.answers import DX, answer, made, make
from tests.dicom_node.report_kinds import PREDECESSOR

PAIRS = list(combinations(REPORT_STORAGE, 2))


@pytest.mark.parametrize(("rich", "plain"), PAIRS)
def test_plainer_report_differs_in_class_and_uid_alone(rich: str, plain: str) -> None:
    report = make(answer(), sop_class_uid=rich)
    other = pydicom.dcmread(BytesIO(report_file(as_sop_class(report, plain))))
    different = {e.keyword for e in other if e != report[e.tag]}
    assert different == {"SOPClassUID", "SOPInstanceUID"}
    assert other.SOPClassUID == other.file_meta.MediaStorageSOPClassUID == plain
    assert other.SOPInstanceUID == other.file_meta.MediaStorageSOPInstanceUID


def test_derived_uid_is_valid_and_the_same_each_time() -> None:
    report = make(answer())
    first, second = (as_sop_class(report, EnhancedSRStorage).SOPInstanceUID for _ in range(2))
    assert first == second
    assert UID(first).is_valid
    assert first.startswith("2.25.")
    others = {as_sop_class(report, c).SOPInstanceUID for c in REPORT_STORAGE}
    assert len(others) == len(REPORT_STORAGE)
    another = make(answer(), sop_instance_uid="1.2.9.1.2")
    assert as_sop_class(another, EnhancedSRStorage).SOPInstanceUID != first


@pytest.mark.parametrize("read", [True, False])
def test_given_report_is_left_as_it_is(read: bool) -> None:
    report = (make if read else made)(answer(), refers_to=References(PREDECESSOR))
    before = report_file(report)
    as_sop_class(report, EnhancedSRStorage)
    assert report_file(report) == before


def test_own_class_changes_nothing() -> None:
    report = make(answer())
    assert report_file(as_sop_class(report, Comprehensive3DSRStorage)) == report_file(report)


@pytest.mark.parametrize(("rich", "plain"), PAIRS)
def test_peers_own_chain_of_revisions_holds(rich: str, plain: str) -> None:
    """The predecessor is named as the peer has it: by the UID that was sent to it."""
    first = make(answer(), sop_class_uid=rich, sop_instance_uid="1.2.8.1")
    old = DocumentReference("1.2.3.1", "1.2.8", rich, "1.2.8.1")
    later = make(answer(), sop_class_uid=rich, refers_to=References(old))
    (item,) = as_sop_class(later, plain).PredecessorDocumentsSequence
    (series,) = item.ReferencedSeriesSequence
    (sop,) = series.ReferencedSOPSequence
    assert (item.StudyInstanceUID, series.SeriesInstanceUID) == ("1.2.3.1", "1.2.8")
    assert sop.ReferencedSOPInstanceUID == as_sop_class(first, plain).SOPInstanceUID
    assert sop.ReferencedSOPClassUID == plain


def test_predecessor_that_was_plain_already_keeps_its_uid() -> None:
    old = DocumentReference("1.2.3.1", "1.2.8", EnhancedSRStorage, "1.2.8.1")
    later = as_sop_class(make(answer(), refers_to=References(old)), ComprehensiveSRStorage)
    (item,) = later.PredecessorDocumentsSequence
    (sop,) = item.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert (sop.ReferencedSOPClassUID, sop.ReferencedSOPInstanceUID) == (
        EnhancedSRStorage,
        "1.2.8.1",
    )


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (EnhancedSRStorage, Comprehensive3DSRStorage),  # richer
        (EnhancedSRStorage, ComprehensiveSRStorage),
        (EnhancedSRStorage, DX),
        (DX, EnhancedSRStorage),
    ],
)
def test_no_report_is_made_richer_or_another_thing(found: str, wanted: str) -> None:
    report = make(answer())
    report.SOPClassUID = found
    with pytest.raises(ReportError, match=f"SOP class {found}"):
        as_sop_class(report, wanted)
