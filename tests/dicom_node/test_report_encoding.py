"""Our writer of reports against pydicom's, byte for byte."""

from io import BytesIO
from typing import Any

import pydicom
import pytest
from pydicom import DataElement, Dataset
from pydicom.uid import ExplicitVRLittleEndian

from dicom_node.report.encoding import data_set, report_file
from dicom_node.report.filing import ReportError
from tests.dicom_node.answers import made
from tests.dicom_node.report_kinds import KINDS


def by_pydicom(report: Dataset) -> bytes:
    buffer = BytesIO()
    report.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_file_is_the_one_that_pydicom_writes(kind: str) -> None:
    report = made(KINDS[kind].given, **KINDS[kind].options)
    assert report_file(report) == by_pydicom(report)


@pytest.mark.parametrize("kind", KINDS)
def test_file_that_was_read_is_written_again_the_same(kind: str) -> None:
    written = report_file(made(KINDS[kind].given, **KINDS[kind].options))
    assert report_file(pydicom.dcmread(BytesIO(written))) == written


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientID", "odd"),
        ("PatientID", "even"),
        ("PatientID", ""),
        ("PatientID", None),
        ("PatientID", "naïve"),  # four letters of one byte, one of two
        ("OtherPatientNames", ["One^Name=山田", "Another"]),
        ("ImageType", ["DERIVED", "SECONDARY"]),
        ("PatientWeight", "70.50"),
        ("SeriesNumber", 12),
        ("ReferencedFrameNumber", 7),
        ("ReferencedSamplePositions", 70000),
        ("FloatingPointValue", 1 / 3),
        ("StudyInstanceUID", "1.2.3"),
        ("TextValue", "x" * 70001),
        ("StudyComments", "x" * 70001),  # too long for the 16 bits of an LT: UN, PS3.5 6.2.2
        ("ContentSequence", []),
    ],
)
@pytest.mark.filterwarnings("ignore:The value")
def test_element_is_written_as_pydicom_does(keyword: str, value: Any) -> None:
    single = Dataset()
    single.SpecificCharacterSet = "ISO_IR 192"
    setattr(single, keyword, value)
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, single, implicit_vr=False, little_endian=True)
    assert data_set(single) == buffer.getvalue()


def test_element_that_no_report_has_is_refused() -> None:
    single = Dataset()
    single.PixelData = b"\0\0"
    with pytest.raises(ValueError, match="no report holds an element of VR O"):
        data_set(single)


@pytest.mark.parametrize(
    ("keyword", "vr", "value"),
    [
        ("PatientID", "LO", "lone \ud800"),
        ("AccessionNumber", "OB", b"ABC1"),
        ("SeriesNumber", "US", 70000),
        ("SOPInstanceUID", "UI", "1.\u0661"),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value")
def test_what_cannot_be_written_is_a_reason(keyword: str, vr: str, value: Any) -> None:
    report = made(KINDS["cr"].given)
    report[keyword] = DataElement(keyword, vr, value)
    with pytest.raises(ReportError, match="the report cannot be written: "):
        report_file(report)


def test_transfer_syntax_is_the_one_that_is_told() -> None:
    report = pydicom.dcmread(BytesIO(report_file(made(KINDS["cr"].given))))
    assert report.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert report.original_encoding == (False, True)
