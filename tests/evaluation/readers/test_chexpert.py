"""CheXpert in the layouts of its small set, its batches of full size, and its test set."""

from pathlib import Path

import numpy as np
import pytest

from evaluation.readers import chexpert
from evaluation.readers.fault import ReaderError
from evaluation.readers.images import Images
from tests.evaluation.readers.made import replace_in, touch, write

HEADER = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,"
    "Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,"
    "Pleural Effusion,Pleural Other,Fracture,Support Devices\n"
)
TRAIN = HEADER + (
    "CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg,"
    "Female,68,Frontal,AP,1.0,,,,,,,,,0.0,,,,1.0\n"
    "CheXpert-v1.0-small/train/patient00002/study2/view1_frontal.jpg,"
    "Male,87,Frontal,PA,,,-1.0,1.0,,-1.0,-1.0,,-1.0,,-1.0,,1.0,\n"
    "CheXpert-v1.0-small/train/patient00002/study1/view2_lateral.jpg,"
    "Unknown,0,Lateral,,,,,1.0,,,-1.0,,,,,,1.0,\n"
)
VALID = HEADER + (
    "CheXpert-v1.0-small/valid/patient64541/study1/view1_frontal.jpg,"
    "Male,73,Frontal,AP,0.0,1.0,1.0,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0\n"
)
IDS = (
    "train/patient00001/study1/view1_frontal.jpg",
    "train/patient00002/study2/view1_frontal.jpg",
    "train/patient00002/study1/view2_lateral.jpg",
    "valid/patient64541/study1/view1_frontal.jpg",
)


def make(place: Path) -> Path:
    write(place / "train.csv", TRAIN)
    write(place / "valid.csv", VALID)
    touch(place, *IDS)
    return place


def test_the_small_set(tmp_path: Path) -> None:
    found = chexpert.read(make(tmp_path))
    assert found.ids == IDS
    assert found.patients == ("patient00001", "patient00002", "patient00002", "patient64541")
    assert found.studies[1] == "patient00002/study2"
    assert found.splits == ("train", "train", "train", "val")
    assert found.label_names[0] == "No Finding"
    assert found.label("No Finding").tolist() == [1, -2, -2, 0]
    assert found.label("Cardiomegaly").tolist() == [-2, -1, -2, 1]
    assert found.label("Support Devices").tolist() == [1, -2, -2, 0]
    assert found.label("Pneumothorax").tolist() == [0, -2, -2, 0]
    assert found.attributes["view"].tolist() == ["AP", "PA", "LATERAL", "AP"]
    assert found.attributes["sex"].tolist() == ["F", "M", "", "M"]
    assert found.numbers["age"].tolist() == [68, 87, 0, 73]
    assert found.paths[3] == tmp_path / IDS[3]


def test_any_name_of_the_set_may_stand_before_a_path(tmp_path: Path) -> None:
    make(tmp_path)
    for old, new in (("CheXpert-v1.0-small/", "CheXpert-v1.0/"), ("CheXpert-v1.0/", "")):
        for name in ("train.csv", "valid.csv"):
            replace_in(tmp_path / name, old, new)
        assert chexpert.read(tmp_path).ids == IDS


def test_the_test_set_has_no_sex_age_and_view(tmp_path: Path) -> None:
    make(tmp_path)
    labels = HEADER.removeprefix("Path,Sex,Age,Frontal/Lateral,AP/PA,")
    test = "test/patient64741/study1/view1_frontal.jpg"
    write(tmp_path / "test.csv", f"Path,{labels}{test}{',0.0' * 13},1.0\n")
    touch(tmp_path, test)
    found = chexpert.read(tmp_path)
    assert (found.ids[4], found.splits[4]) == (test, "test")
    assert found.states[4].tolist() == [0] * 13 + [1]
    assert np.isnan(found.numbers["age"][4])
    assert [column[4] for column in found.attributes.values()] == ["", "", ""]


def test_the_batches_of_full_size(tmp_path: Path) -> None:
    tables = tmp_path / "CheXpert-v1.0 batch 1 (validate & csv)"
    write(tables / "train.csv", TRAIN.replace("-small", ""))
    write(tables / "valid.csv", VALID.replace("-small", ""))
    touch(tables, IDS[3])
    touch(tmp_path / "CheXpert-v1.0 batch 2 (train 1)", IDS[0].removeprefix("train/"))
    second = tmp_path / "CheXpert-v1.0 batch 3 (train 2)"
    touch(second, *(one.removeprefix("train/") for one in IDS[1:3]))
    found = chexpert.read(tmp_path)
    assert found.ids == IDS
    assert found.paths[1] == second / "patient00002/study2/view1_frontal.jpg"
    assert chexpert.recognises(tmp_path)


def test_without_images(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / IDS[0]).unlink()
    assert len(chexpert.read(tmp_path, images=Images.NONE)) == 4
    with pytest.raises(ReaderError, match=r"CheXpert: 1 of 4 image files .*patient00001/study1"):
        chexpert.read(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Female", "Woman", "line 2, column 'Sex': 'Woman' is no sex"),
        (",68,", ",sixty,", "line 2, column 'Age': 'sixty' is no age"),
        ("1.0,,,,,,,,,0.0", "1.0,,,,,,,,,0.5", "line 2, column 'Pneumothorax': '0.5' is no state"),
        ("train/patient00001", "train/p1", "line 2, column 'Path': .* is no path of CheXpert"),
        ("study1/view2_lateral", "study2/view1_frontal", "line 4, column 'Path': .* in line 3"),
        ("Fracture", "Fractures", "no column 'Fracture'"),
        ("AP/PA", "View", "no column 'AP/PA'"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    make(tmp_path)
    replace_in(tmp_path / "train.csv", old, new)
    with pytest.raises(ReaderError, match=f"train.csv.*{reason}"):
        chexpert.read(tmp_path)


@pytest.mark.parametrize("name", ["train.csv", "valid.csv"])
def test_a_missing_table_is_named(tmp_path: Path, name: str) -> None:
    (make(tmp_path) / name).unlink()
    with pytest.raises(ReaderError, match=f"there is no file .*{name}"):
        chexpert.read(tmp_path)


def test_other_sets_have_a_train_csv_too(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", "image,label\na.png,1\n")
    assert not chexpert.recognises(tmp_path)
