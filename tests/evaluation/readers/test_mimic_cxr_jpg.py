"""MIMIC-CXR-JPG in its published layout."""

from pathlib import Path

import pytest

from evaluation.readers import mimic_cxr_jpg
from evaluation.readers.fault import ReaderError
from evaluation.readers.images import Images
from tests.evaluation.readers.made import touch, write, write_rows

LABELS = (
    "Atelectasis,Cardiomegaly,Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,Lung Lesion,"
    "Lung Opacity,No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices"
)
FIRST, SECOND, THIRD = (
    "02aa804e-bde0afdd-112c0b34-7bc16630-4e384014",
    "174413ec-4ec4c1f7-34ea26b7-c5f994f8-79ef1962",
    "2a2277a9-b0ded155-c0de8eb9-c124d10e-82c5caab",
)
SPLIT = [
    ("dicom_id", "study_id", "subject_id", "split"),
    (FIRST, 50414267, 10000032, "train"),
    (SECOND, 50414267, 10000032, "train"),
    (THIRD, 53189527, 10000764, "validate"),
]
METADATA = [
    (
        "dicom_id",
        "subject_id",
        "study_id",
        "PerformedProcedureStepDescription",
        "ViewPosition",
        "Rows",
        "Columns",
        "StudyDate",
        "StudyTime",
    ),
    (SECOND, 10000032, 50414267, "CHEST (PA AND LAT)", "LATERAL", 3056, 2544, 21800506, 213014.531),
    (FIRST, 10000032, 50414267, "CHEST (PA AND LAT)", "PA", 3056, 2544, 21800506, 213014.531),
    (THIRD, 10000764, 53189527, "CHEST (PORTABLE AP), left", "", 2544, 3056, 21321105, 85123.0),
]
PATIENTS = """\
subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod
10000032,F,52,2178,2014 - 2016,2180-09-09
10000048,F,23,2126,2008 - 2010,
10000764,M,91,2130,2014 - 2016,
"""
CHEXPERT = f"subject_id,study_id,{LABELS}\n10000032,50414267,,1.0,-1.0,0.0,,,,,,,,,,1.0\n"
FILES = (
    f"files/p10/p10000032/s50414267/{FIRST}.jpg",
    f"files/p10/p10000032/s50414267/{SECOND}.jpg",
    f"files/p10/p10000764/s53189527/{THIRD}.jpg",
)


def make(place: Path, release: str = "2.0.0", ending: str = "csv.gz") -> Path:
    write_rows(place / f"mimic-cxr-{release}-split.{ending}", SPLIT)
    write_rows(place / f"mimic-cxr-{release}-metadata.{ending}", METADATA)
    write(place / f"mimic-cxr-{release}-chexpert.{ending}", CHEXPERT)
    touch(place, *FILES)
    return place


@pytest.mark.parametrize("release", ["2.0.0", "2.1.0"])
@pytest.mark.parametrize("ending", ["csv.gz", "csv"])
def test_images_have_the_labels_of_their_study(tmp_path: Path, release: str, ending: str) -> None:
    found = mimic_cxr_jpg.read(make(tmp_path, release, ending))
    assert found.ids == (FIRST, SECOND, THIRD)
    assert found.patients == ("10000032", "10000032", "10000764")
    assert found.studies == ("50414267", "50414267", "53189527")
    assert found.splits == ("train", "train", "val")
    assert found.attributes["view"].tolist() == ["PA", "LATERAL", ""]
    assert found.label("Cardiomegaly").tolist() == [1, 1, -2]
    assert found.label("Consolidation").tolist() == [-1, -1, -2]
    assert found.label("Edema").tolist() == [0, 0, -2]
    assert found.states[2].tolist() == [-2] * 14  # the labeler has no row for the study
    assert found.paths == tuple(tmp_path / file for file in FILES)


@pytest.mark.parametrize("name", ["patients.csv", "patients.csv.gz"])
def test_sex_and_age_are_in_the_patients_of_mimic_iv(tmp_path: Path, name: str) -> None:
    write(make(tmp_path) / name, PATIENTS)
    found = mimic_cxr_jpg.read(tmp_path)
    assert found.attributes["sex"].tolist() == ["F", "F", "M"]
    # 52 in 2178, asked in 2180; 91 in 2130, which may be any age over 89, asked in 2132
    assert found.numbers["age"].tolist() == [54, 54, 93]
    assert found.attributes["age_band"].tolist() == ["40-59", "40-59", "80+"]
    assert found.attributes["view"].tolist() == ["PA", "LATERAL", ""]
    assert found.notes == ()


def test_the_patients_may_lie_elsewhere(tmp_path: Path) -> None:
    elsewhere = write(tmp_path / "hosp" / "p.csv.gz", PATIENTS)
    found = mimic_cxr_jpg.read(make(tmp_path / "set"), patients=elsewhere)
    assert found.attributes["sex"].tolist() == ["F", "F", "M"]
    with pytest.raises(ReaderError, match=r"there is no file .*absent\.csv"):
        mimic_cxr_jpg.read(tmp_path / "set", patients=tmp_path / "absent.csv")


def test_without_patients_there_is_neither_sex_nor_age_and_what_would_bring_them(
    tmp_path: Path,
) -> None:
    found = mimic_cxr_jpg.read(make(tmp_path))
    assert sorted(found.attributes) == ["view"]
    assert found.numbers == {}
    (note,) = found.notes
    assert "MIMIC-IV's hosp/patients.csv.gz" in note
    assert "patients=FILE" in note


def test_patients_that_the_table_lacks_are_told(tmp_path: Path) -> None:
    lacking = "".join(PATIENTS.splitlines(keepends=True)[:-1])
    path = write(make(tmp_path) / "patients.csv", lacking)
    found = mimic_cxr_jpg.read(tmp_path)
    assert found.attributes["sex"].tolist() == ["F", "F", ""]
    assert found.attributes["age_band"].tolist() == ["40-59", "40-59", ""]
    assert found.notes == (
        f"MIMIC-CXR-JPG: 1 of its patients are not in {path}, their sex and age unknown: 10000764",
    )


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("gender", "sex", "no column 'gender'"),
        (",F,52", ",X,52", "line 2, column 'gender': 'X' is no sex"),
        (",52,", ",old,", "line 2, column 'anchor_age': 'old' is no number"),
        ("10000048", "10000032", "line 3, column 'subject_id': '10000032' stands in line 2"),
    ],
)
def test_a_fault_of_the_patients_is_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    write(make(tmp_path) / "patients.csv", PATIENTS.replace(old, new))
    with pytest.raises(ReaderError, match=f"patients.csv.*{reason}"):
        mimic_cxr_jpg.read(tmp_path)


def test_a_date_of_study_that_is_none(tmp_path: Path) -> None:
    rows = [METADATA[0], *((*row[:7], "2180", row[8]) for row in METADATA[1:])]
    write_rows(make(tmp_path) / "mimic-cxr-2.0.0-metadata.csv.gz", rows)
    assert len(mimic_cxr_jpg.read(tmp_path)) == 3  # nobody asks for it without patients
    write(tmp_path / "patients.csv", PATIENTS)
    with pytest.raises(ReaderError, match=r"metadata\.csv\.gz line 2, column 'StudyDate': '2180'"):
        mimic_cxr_jpg.read(tmp_path)


def test_the_other_labeler(tmp_path: Path) -> None:
    write(make(tmp_path) / "mimic-cxr-2.0.0-negbio.csv.gz", CHEXPERT.replace("1.0", "0.0"))
    assert mimic_cxr_jpg.read(tmp_path, labeler="negbio").label("Cardiomegaly")[0] == 0
    with pytest.raises(ReaderError, match="no labels by 'visual'; it has chexpert, negbio"):
        mimic_cxr_jpg.read(tmp_path, labeler="visual")


@pytest.mark.parametrize("kind", ["split", "metadata", "chexpert"])
def test_a_missing_table_is_named(tmp_path: Path, kind: str) -> None:
    (make(tmp_path) / f"mimic-cxr-2.0.0-{kind}.csv.gz").rename(tmp_path / "moved")
    with pytest.raises(ReaderError, match=f"no file .*mimic-cxr-2.0.0-{kind}.csv.gz; fetch"):
        mimic_cxr_jpg.read(tmp_path)


def test_two_releases_in_one_folder_are_refused(tmp_path: Path) -> None:
    make(make(tmp_path), "2.1.0")
    with pytest.raises(ReaderError, match="leave one release's there"):
        mimic_cxr_jpg.read(tmp_path)


def test_images_without_metadata_are_refused(tmp_path: Path) -> None:
    write_rows(make(tmp_path) / "mimic-cxr-2.0.0-metadata.csv.gz", METADATA[:3])
    with pytest.raises(ReaderError, match=f"split.csv.gz line 4, column 'dicom_id': {THIRD}"):
        mimic_cxr_jpg.read(tmp_path)


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        ("chexpert", CHEXPERT.replace("-1.0", "-3.0"), "line 2, column 'Consolidation': '-3.0'"),
        ("chexpert", CHEXPERT.replace("Edema", "Oedema"), "no column 'Edema'"),
        ("chexpert", CHEXPERT + CHEXPERT.splitlines()[1], "line 3, column 'study_id': '50414267'"),
        ("metadata", "dicom_id,View\na,PA\n", "no column 'ViewPosition'"),
        ("split", "dicom_id,study_id,subject_id,split\n", "holds a header and no rows"),
        ("split", "dicom_id,study_id,split\na,1,test\n", "no column 'subject_id'"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, kind: str, text: str, reason: str) -> None:
    write(make(tmp_path) / f"mimic-cxr-2.0.0-{kind}.csv.gz", text)
    with pytest.raises(ReaderError, match=f"mimic-cxr-2.0.0-{kind}.csv.gz.*{reason}"):
        mimic_cxr_jpg.read(tmp_path)


def test_missing_images(tmp_path: Path) -> None:
    (make(tmp_path) / FILES[1]).unlink()
    with pytest.raises(ReaderError, match=f"MIMIC-CXR-JPG: 1 of 3 image files .* {SECOND}"):
        mimic_cxr_jpg.read(tmp_path)
    assert mimic_cxr_jpg.read(tmp_path, images=Images.PRESENT).ids == (FIRST, THIRD)
