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
        ("sop_instance_uid,label,value,code\n2.1.1,x,0,\n", [[-2], [-2], [0]]),
        (
            (
                "sop_instance_uid,series_instance_uid,study_instance_uid,label,value\n"
                "1.1.1,1.1,1,x,0\n,1.2,1,x,-1\n,,1,x,1\n,,2,x,1\n"
            ),
            [[0], [-1], [1]],
        ),
        ("study_instance_uid,label,value\n1,x,1\n1,x,1\n1,y,0\n", [[1, 0], [1, 0], [-2, -2]]),
    ],
)
def test_the_row_that_names_the_least_counts(
    tmp_path: Path, text: str, states: list[list[int]]
) -> None:
    _, found = read_labels(write(tmp_path / "labels.csv", text), IMAGES)
    assert found.tolist() == states


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("label,value\nx,1\n", "no column 'study_instance_uid'"),
        ("study_instance_uid,value\n1,1\n", "no column 'label'"),
        ("study_instance_uid,label,value\n1,x,yes\n", "line 2, column 'value': 'yes' is no state"),
        ("study_instance_uid,label,value\n1,,1\n", "line 2, column 'label': an empty cell"),
        ("study_instance_uid,label,value\n,x,1\n", "line 2, column 'study_instance_uid': no UID"),
        ("study_instance_uid,label,value\n1,x,1\n1,x,0\n", "line 3, column 'value': an earlier"),
        ("study_instance_uid,label,value\n8,x,1\n9,x,0\n", "names none of the images, but 8, 9"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ReaderError, match=rf"labels\.csv.*{reason}"):
        read_labels(write(tmp_path / "labels.csv", text), IMAGES)


def test_labels_of_unknown_studies_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "labels.csv", "study_instance_uid,label,value\n1,x,1\n9,x,1\n")
    read_labels(path, IMAGES)
    assert "1 UIDs are none of the images': 9" in caplog.text
