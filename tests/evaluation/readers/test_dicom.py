"""Folders of DICOM files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import ComputedRadiographyImageStorage

from evaluation.readers import dicom
from evaluation.readers.fault import ReaderError
from evaluation.readers.images import Images
from tests.encoders.objects import AXIAL, image_object
from tests.evaluation.readers.made import write

PIXELS = np.arange(4, dtype=np.uint16).reshape(2, 2)


def put(path: Path, uid: str, **attributes: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    ds = image_object(PIXELS, SOPInstanceUID=uid, **attributes)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.save_as(path, enforce_file_format=True)
    return path


def radiograph(path: Path, uid: str, **attributes: Any) -> Path:
    defaults = {
        "SOPClassUID": ComputedRadiographyImageStorage,
        "Modality": "CR",
        "StudyInstanceUID": "1.5",
        "SeriesInstanceUID": "1.5.1",
        "PatientID": "P1",
        "ViewPosition": "PA",
    }
    return put(path, uid, **{**defaults, **attributes})


def ct_series(folder: Path) -> Path:
    for at in range(5):
        put(
            folder / f"{at}.dcm",
            f"1.7.1.{at}",
            Modality="CT",
            StudyInstanceUID="1.7",
            SeriesInstanceUID="1.7.1",
            PatientID="P2",
            ImagePositionPatient=[0, 0, 10 * at],
            ImageOrientationPatient=list(AXIAL),
        )
    return folder


def make(place: Path) -> Path:
    radiograph(
        place / "a.dcm",
        "1.5.1.1",
        IssuerOfPatientID="Ward",
        PatientSex="F",
        PatientAge="058Y",
        Manufacturer="Maker",
        ManufacturerModelName="One",
        BodyPartExamined="CHEST",
    )
    ct_series(place / "ct")
    write(place / "readme.txt", "no image")
    return place


def test_images_as_the_node_chooses_them(tmp_path: Path) -> None:
    found = dicom.read(make(tmp_path))
    # of five slices the middle one stands for the series
    assert found.ids == ("1.5.1.1", "1.7.1.2")
    assert found.patients == ("Ward\\P1", "P2")
    assert found.studies == ("1.5", "1.7")
    assert found.label_names == ()
    np.testing.assert_equal(found.numbers["age"], [58, np.nan])
    assert {name: column.tolist() for name, column in found.attributes.items()} == {
        "view": ["PA", ""],
        "sex": ["F", ""],
        "age_band": ["40-59", ""],
        "scanner": ["Maker One", ""],
        "modality": ["CR", "CT"],
        "body_part": ["CHEST", ""],
    }
    assert found.paths == (tmp_path / "a.dcm", tmp_path / "ct/2.dcm")
    reasons = "4 not the middle slice of its series; 1 no DICOM file"
    assert found.notes == (f"{tmp_path}: 5 files left out: {reasons}",)


def test_every_slice(tmp_path: Path) -> None:
    found = dicom.read(make(tmp_path), every=True, images=Images.NONE)
    assert found.ids == ("1.5.1.1", *(f"1.7.1.{at}" for at in range(5)))
    assert found.paths == ()
    assert found.notes == (f"{tmp_path}: 1 files left out: 1 no DICOM file",)


def test_a_frame_has_its_number(tmp_path: Path) -> None:
    ds = image_object(
        np.zeros((3, 2, 2), np.uint16),
        SOPClassUID=ComputedRadiographyImageStorage,
        Modality="CR",
        StudyInstanceUID="1.5",
        PatientID="P1",
    )
    ds.save_as(tmp_path / "frames.dcm", enforce_file_format=True)
    assert dicom.read(tmp_path).ids == ("1.2.3#2",)


@pytest.mark.parametrize(
    ("attributes", "age"),
    [
        ({"PatientAge": "006M"}, 0.5),
        ({"PatientBirthDate": "19500101", "StudyDate": "20100101"}, 60.0),
        ({"PatientBirthDate": "19500101"}, np.nan),
        ({"PatientBirthDate": "20100101", "StudyDate": "19500101"}, np.nan),
        ({"PatientAge": "ABC"}, np.nan),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_ages(tmp_path: Path, attributes: dict[str, str], age: float) -> None:
    radiograph(tmp_path / "a.dcm", "1.1", **attributes)
    np.testing.assert_allclose(dicom.read(tmp_path).numbers["age"], [age], atol=0.01)


def test_without_patient_id_the_study_stands_for_the_patient(tmp_path: Path) -> None:
    radiograph(tmp_path / "a.dcm", "1.1", PatientID="", IssuerOfPatientID="Ward")
    found = dicom.read(tmp_path)
    assert found.patients == ("\\study 1.5",)
    assert found.notes == (f"{tmp_path}: 1 images have no Patient ID; their study stands for it",)


def test_copies_and_damage_are_told(tmp_path: Path) -> None:
    whole = radiograph(tmp_path / "a.dcm", "1.1").read_bytes()
    (tmp_path / "b.dcm").write_bytes(whole)
    (tmp_path / "c.dcm").write_bytes(whole[:150])
    radiograph(tmp_path / "d.dcm", "1.4", Modality="")
    found = dicom.read(tmp_path)
    assert found.ids == ("1.1",)
    (note,) = found.notes
    assert "1 copy of an instance that was read already" in note
    assert "1 (0008,0060) Modality is missing" in note
    assert "3 files left out" in note


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match="there is no folder"):
        dicom.read(tmp_path / "absent")
    with pytest.raises(ReaderError, match="holds no DICOM image; it is empty"):
        dicom.read(tmp_path)
    write(tmp_path / "a.txt", "x")
    with pytest.raises(ReaderError, match="holds no DICOM image; 1 no DICOM file"):
        dicom.read(tmp_path)


def test_labels_of_a_csv_file(tmp_path: Path) -> None:
    labels = write(
        tmp_path / "labels.csv",
        "study_instance_uid,sop_instance_uid,label,value\n"
        "1.5,,Mass,1\n1.7,,Mass,0\n1.7,1.7.1.2,Mass,-1\n1.7,,Edema,1\n",
    )
    found = dicom.read(make(tmp_path / "files"), labels=labels)
    assert found.label_names == ("Edema", "Mass")
    assert found.states.tolist() == [[-2, 1], [1, -1]]


def test_remarks_on_the_labels_are_told(tmp_path: Path) -> None:
    labels = write(tmp_path / "labels.csv", "study_instance_uid,Mass\n1.5,1\n1.9,1\n")
    radiograph(tmp_path / "files" / "a.dcm", "1.1")
    found = dicom.read(tmp_path / "files", labels=labels)
    assert found.notes == (f"{labels}: what it says of 1 others than the images is left out: 1.9",)


@pytest.mark.shared_data
def test_the_shared_files(shared_data: Path) -> None:
    # by the README: 5 patients, 3 planes, 2 dates; two of the planes are reformats
    found = dicom.read(shared_data / "dicom" / "ct_slices", every=True)
    assert len(found) == 10
    assert len(set(found.patients)) == 5
    assert set(found.attributes["modality"].tolist()) == {"CT"}
    for folder in ("syntaxes", "formats", "traps"):
        assert len(dicom.read(shared_data / "dicom" / folder)) > 0
