"""Labels of DICOM images by study, series or instance."""

from pathlib import Path

import pytest

from evaluation.readers.dicom_labels import read_labels
from evaluation.readers.fault import ReaderError
from tests.evaluation.readers.made import write

IMAGES = [("1", "1.1", "1.1.1"), ("1", "1.2", "1.2.1"), ("2", "2.1", "2.1.1")]


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("study_instance_uid,label,value\n1,x,1\n2,x,-1\n", [[1], [1], [-1]]),
        ("series_instance_uid,label,value\n1.1,x,1.0\n", [[1], [-2], [-2]]),
        ("sop_instance_uid,label,value,code,scheme\n2.1.1,x,0,,\n", [[-2], [-2], [0]]),
        (
            (
                "sop_instance_uid,series_instance_uid,study_instance_uid,label,value\n"
                "1.1.1,1.1,1,x,0\n,1.2,1,x,-1\n,,1,x,1\n,,2,x,1\n"
            ),
            [[0], [-1], [1]],
        ),
        ("study_instance_uid,label,value\n1,x,1\n1,x,1\n1,y,0\n", [[1, 0], [1, 0], [-2, -2]]),
        # as `likeness labels import` takes them, too (docs/labels.md)
        ("StudyInstanceUID;Label;Value\n1;x;yes\n2;x;absent\n", [[1], [1], [0]]),
        ("StudyInstanceUID,y,x\n1,1.0,\n2,-1.0,0.0\n", [[-2, 1], [-2, 1], [0, -1]]),
    ],
)
def test_the_line_that_names_the_least_counts(
    tmp_path: Path, text: str, states: list[list[int]]
) -> None:
    matrix, remarks = read_labels(write(tmp_path / "labels.csv", text), IMAGES)
    assert matrix.states.tolist() == states
    assert matrix.names == ("x", "y")[: len(states[0])]
    assert remarks == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("label,value\nx,1\n", "lacks one of accession_number, study_instance_uid"),
        ("study_instance_uid,label\n1,1\n", "lacks value"),
        ("study_instance_uid,label,value\n1,x,maybe\n", "line 2: 'maybe' is no value: 1"),
        ("study_instance_uid,label,value\n1,,1\n", "line 2: names no label"),
        ("study_instance_uid,label,value\n,x,1\n", "line 2: gives none of accession_number"),
        ("study_instance_uid,label,value\n8,x,1\n9,x,0\n", "names none of the images, but 8, 9"),
        ("accession_number,label,value\nA1,x,1\n", "names none of the images, but A1"),
        ("study_instance_uid,label,value\n", "names none of the images, but nothing"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ReaderError, match=rf"labels\.csv.*{reason}"):
        read_labels(write(tmp_path / "labels.csv", text), IMAGES)


def test_labels_of_unknown_studies_are_told(tmp_path: Path) -> None:
    path = write(tmp_path / "labels.csv", "study_instance_uid,label,value\n1,x,1\n9,x,1\n")
    _, remarks = read_labels(path, IMAGES)
    assert remarks == (f"{path}: what it says of 1 others than the images is left out: 9",)


def test_lines_that_contradict_each_other_are_uncertain_and_told(tmp_path: Path) -> None:
    text = "study_instance_uid,label,value,source\n1,x,1,a\n1,x,0,b\n2,x,1,a\n2,x,1,b\n"
    path = write(tmp_path / "labels.csv", text)
    matrix, remarks = read_labels(path, IMAGES)
    assert matrix.states.tolist() == [[-1], [-1], [1]]
    assert remarks == (f"{path}: labels are uncertain where what is said differs: x (1 times)",)
