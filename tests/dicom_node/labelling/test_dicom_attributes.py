"""Labels from attributes: diagnoses are said, reasons are asked."""

from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from dicom_node.labelling.dicom_attributes import (
    ATTRIBUTES,
    checked,
    labels_of_dataset,
    read_attributes,
)
from evaluation.report_rules.rules import Rules, load
from storage.answer import Label
from storage.label_lines import LabelError
from tests.dicom_node.objects import INSTANCE, STUDY, radiograph, written
from tests.evaluation.report_rules.documents import coded

PNEUMONIA = Code("233604007", "SCT", "Pneumonia")


@pytest.fixture(scope="module")
def rules() -> Rules:
    """Those that come along."""
    return load()


def _said(
    rules: Rules, keywords: tuple[str, ...] = ATTRIBUTES, **attributes: Any
) -> dict[str, int]:
    dataset = radiograph(**attributes)
    return {label.name: label.value for label in labels_of_dataset(dataset, keywords, rules)}


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"AdmittingDiagnosesDescription": "Pneumonia"}, {"Pneumonia": 1}),
        ({"AdmittingDiagnosesDescription": ["Effusion", "no edema"]},
         {"Pleural Effusion": 1, "Edema": 0}),
        ({"AdmittingDiagnosesDescription": "r/o pneumonia"}, {"Pneumonia": -1}),
        ({"AdmittingDiagnosesCodeSequence": [coded(PNEUMONIA)]}, {"Pneumonia": 1}),
        ({"ReasonForStudy": "Pneumonia"}, {"Pneumonia": -1}),
        ({"ReasonForTheRequestedProcedure": "Fall, no fracture?"}, {"Fracture": -1}),
        ({"ReasonForTheRequestedProcedure": "Effusion, no edema"}, {"Pleural Effusion": -1}),
        ({"ReasonForRequestedProcedureCodeSequence": [coded(PNEUMONIA)]}, {"Pneumonia": -1}),
        ({"ImageComments": "Effusion"}, {}),
        ({}, {}),
    ],
)  # fmt: skip
def test_attributes_say(rules: Rules, attributes: dict[str, Any], expected: dict[str, int]) -> None:
    assert _said(rules, **attributes) == expected


def test_a_site_may_name_other_attributes(rules: Rules) -> None:
    assert _said(rules, ("ImageComments",), ImageComments="Effusion") == {"Pleural Effusion": 1}


def test_requests_are_read_too(rules: Rules) -> None:
    """PS3.3 Table 10-9: the reason stands in the items of the Request Attributes Sequence."""
    request = Dataset()
    request.ReasonForRequestedProcedureCodeSequence = [coded(PNEUMONIA)]
    dataset = radiograph(RequestAttributesSequence=[request])
    assert labels_of_dataset(dataset, ATTRIBUTES, rules) == [
        Label("Pneumonia", -1, "233604007", "SCT")
    ]


def test_files_are_taken_together_by_study(tmp_path: Path, rules: Rules) -> None:
    texts = ("Possible effusion", "Effusion", "")
    paths = [
        written(
            tmp_path / f"{number}.dcm",
            radiograph(f"{INSTANCE}.{number}", AdmittingDiagnosesDescription=said),
        )
        for number, said in enumerate(texts)
    ]
    (tmp_path / "notes.txt").write_text("no DICOM")
    missing = tmp_path / "missing.dcm"
    read = read_attributes([*paths, tmp_path / "notes.txt", missing], ATTRIBUTES, rules)
    (line,) = read.lines()
    assert (line.study_instance_uid, line.label.value) == (STUDY, 1)
    assert read.others == {"no DICOM files": 1}
    assert len(read.faults) == 1
    assert "missing.dcm cannot be read" in read.faults[0]


def test_a_file_without_study_is_told(tmp_path: Path, rules: Rules) -> None:
    path = written(tmp_path / "a.dcm", radiograph(StudyInstanceUID=None))
    read = read_attributes([path], ATTRIBUTES, rules)
    assert read.faults == [f"{path}: StudyInstanceUID (0020,000D) is missing"]


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [
        ("Diagnosis", "Diagnosis is no keyword of PS3.6"),
        ("PatientBirthDate", "holds neither text nor codes"),
        ("PixelData", "holds neither text nor codes"),
    ],
)
def test_an_attribute_that_cannot_hold_labels_is_refused(keyword: str, expected: str) -> None:
    with pytest.raises(LabelError, match=expected):
        checked([keyword])


def test_without_a_wish_the_usual_attributes_are_read() -> None:
    assert checked([]) == ATTRIBUTES
    assert checked(ATTRIBUTES) == ATTRIBUTES
