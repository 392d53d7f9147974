"""PadChest in its published layout."""

from pathlib import Path

import numpy as np
import pytest

from evaluation.readers import padchest
from evaluation.readers.fault import ReaderError
from evaluation.readers.images import Images
from tests.evaluation.readers.made import touch, write_rows

TABLE = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
HEADER = (
    "",
    "ImageID",
    "ImageDir",
    "StudyDate_DICOM",
    "StudyID",
    "PatientID",
    "PatientBirth",
    "PatientSex_DICOM",
    "ViewPosition_DICOM",
    "Projection",
    "MethodProjection",
    "Pediatric",
    "Modality_DICOM",
    "Manufacturer_DICOM",
    "Report",
    "MethodLabel",
    "Labels",
)
END = ("PA", "PA", "Manual", "No", "DX", "PhilipsMedicalSystems")
FIRST = ("a.png", "0", "20140915", "S1", "P1", "1930.0", "F", *END)
ROWS = [
    (0, *FIRST, "cardiomegalia .", "Physician", "['cardiomegaly', ' pleural effusion', '']"),
    (1, "b.png", "54", "20150101", "S2", "P1", 1930, "F", *END, "dos\nlineas, .", "RNN", "['Nor']"),
    (2, "c.png", "54", "20150101", "S3", "P2", "", "None", *END, "", "RNN", "nan"),
    (3, "d.png", "1", "20150101", "S4", "P3", 1800, "M", *END, "", "RNN", "['cardiomegaly']"),
]


def make(place: Path, rows: list[tuple[object, ...]] | None = None, ending: str = "") -> Path:
    write_rows(place / f"{TABLE}{ending}", [HEADER, *(ROWS if rows is None else rows)])
    touch(place, "0/a.png", "54/b.png", "54/c.png", "1/d.png")
    return place


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_the_published_table(tmp_path: Path, ending: str) -> None:
    found = padchest.read(make(tmp_path, ending=ending))
    assert found.ids == ("a.png", "b.png", "c.png", "d.png")
    assert found.patients == ("P1", "P1", "P2", "P3")
    assert found.label_names == ("cardiomegaly", "nor", "pleural effusion")
    assert found.states.tolist() == [[1, 0, 1], [0, 1, 0], [-2, -2, -2], [1, 0, 0]]
    np.testing.assert_equal(found.numbers["age"], [84, 85, np.nan, np.nan])
    assert found.attributes["age_band"].tolist() == ["80+", "80+", "", ""]
    assert found.attributes["sex"].tolist() == ["F", "F", "", "M"]
    assert found.attributes["view"].tolist() == ["PA"] * 4
    assert found.attributes["scanner"][0] == "PhilipsMedicalSystems"
    assert found.studies == ("S1", "S2", "S3", "S4")
    assert found.paths[1] == tmp_path / "54/b.png"


def test_images_in_one_folder(tmp_path: Path) -> None:
    make(tmp_path)
    for name in ("0/a.png", "54/b.png", "54/c.png", "1/d.png"):
        (tmp_path / name).unlink()
    touch(tmp_path / "images-224", "a.png", "b.png", "c.png")
    with pytest.raises(ReaderError, match=r"PadChest: 1 of 4 image files .* d\.png"):
        padchest.read(tmp_path)
    assert len(padchest.read(tmp_path, images=Images.PRESENT)) == 3


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("Labels", "cardiomegaly", r"column 'Labels': 'cardiomegaly' is no list of labels"),
        ("Labels", "[1, 2]", "column 'Labels'"),
        ("Labels", "['a'", "column 'Labels'"),
        ("StudyDate_DICOM", "2014-09-15", "column 'StudyDate_DICOM': '2014-09-15' is no date"),
        ("PatientBirth", "long ago", "column 'PatientBirth': 'long ago' is no number"),
        ("PatientSex_DICOM", "X", "column 'PatientSex_DICOM': 'X' is no sex"),
        ("PatientID", "", "column 'PatientID': an empty cell"),
        ("ImageID", "b.png", "column 'ImageID': 'b.png' stands in line 2"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, column: str, cell: str, reason: str) -> None:
    row = list(ROWS[0])
    row[HEADER.index(column)] = cell
    make(tmp_path, [tuple(row), ROWS[1]])
    with pytest.raises(ReaderError, match=f"{TABLE} line .*{reason}"):
        padchest.read(tmp_path)


def test_missing_and_several_tables(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match=f"there is no file .*{TABLE}"):
        padchest.read(tmp_path)
    make(make(tmp_path), ending=".gz")
    with pytest.raises(ReaderError, match="leave one there"):
        padchest.read(tmp_path)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    write_rows(tmp_path / TABLE, [("ImageID", "Labels"), ("a.png", "[]")])
    with pytest.raises(ReaderError, match="no column 'PatientID', 'PatientBirth'"):
        padchest.read(tmp_path)
