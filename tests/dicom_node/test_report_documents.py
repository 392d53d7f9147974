"""Report and picture together, by what the site set."""

from io import BytesIO
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    SecondaryCaptureImageStorage,
)

from dicom_node.report.documents import Documents, encoded, make_documents
from dicom_node.report.filing import assert_filed, patient_and_study
from dicom_node.report.own import is_own_report
from dicom_node.settings import ReportSettings
from storage.pictures import Pictures
from tests.dicom_node.answers import (
    CASE_NUMBER,
    CREATED,
    DEVICE,
    answer,
    evidence,
    named,
    referenced,
)
from tests.dicom_node.report_kinds import PREDECESSOR


def pictures() -> Pictures:
    """A gray square for each image of ``answer()``."""
    buffer = BytesIO()
    Image.fromarray(np.full((64, 64), 128, np.uint8)).save(buffer, "PNG")
    numbers = (1, 50, 101, 102, 103)
    return {(f"1.2.3.{number}.1.1", None): buffer.getvalue() for number in numbers}


def documents(*, case_number: Any = None, **rules: Any) -> Documents:
    return make_documents(
        answer(),
        device=DEVICE,
        rules=ReportSettings(**rules),
        pictures=pictures,
        case_number=case_number,
        predecessor=PREDECESSOR,
        created=CREATED,
    )


@pytest.mark.parametrize(
    ("name", "sop_class"),
    [
        ("comprehensive 3d", Comprehensive3DSRStorage),
        ("comprehensive", ComprehensiveSRStorage),
        ("enhanced", EnhancedSRStorage),
    ],
)
def test_report_has_the_class_that_is_set(name: str, sop_class: str) -> None:
    made = documents(sop_class=name, picture=False)
    assert (made.report.SOPClassUID, made.picture) == (sop_class, None)
    assert "PredecessorDocumentsSequence" in made.report


def test_report_refers_to_its_picture_in_the_same_study() -> None:
    made = documents()
    assert made.picture is not None
    (item,) = named(made.report, "Picture of the answer")
    sop = item.ReferencedSOPSequence[0]
    assert sop.ReferencedSOPClassUID == SecondaryCaptureImageStorage
    assert sop.ReferencedSOPInstanceUID == made.picture.SOPInstanceUID
    place = ("1.2.3.1", made.picture.SeriesInstanceUID, SecondaryCaptureImageStorage)
    assert evidence(made.report)[made.picture.SOPInstanceUID] == place


def test_both_are_filed_and_known_as_our_own() -> None:
    made = documents()
    for document in (made.report, made.picture):
        assert document is not None
        back = pydicom.dcmread(BytesIO(encoded(document)))
        assert_filed(back, patient_and_study(answer().query))
        assert is_own_report(back, DEVICE.uid)
    assert made.picture is not None
    assert made.picture.SeriesInstanceUID != made.report.SeriesInstanceUID


@pytest.mark.parametrize("hidden", [True, False])
def test_case_numbers_are_given_to_both(hidden: bool) -> None:
    made = documents(case_number=CASE_NUMBER if hidden else None)
    shown = {r.ReferencedSOPInstanceUID for r in referenced(made.report)}
    assert ("1.2.3.101.1.1" in shown) == (not hidden)
    assert made.picture is not None
    other = b"1.2.3.101"
    assert [other in encoded(d) for d in (made.report, made.picture)] == [not hidden, False]
