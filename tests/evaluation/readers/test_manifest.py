"""Manifests of one's own, in both layouts."""

from pathlib import Path

import numpy as np
import pytest

from evaluation.readers import manifest
from evaluation.readers.fault import ReaderError
from evaluation.readers.images import Images
from tests.evaluation.readers.made import touch, write

PLAIN = """\
file,patient_id,view,sex,age,labels,split,study,origin
images/a.png,7,PA,F,55,Mass|Nodule,train,s1,"here, there"
images/b.png,7,AP,,,No Finding,valid,s2,there
images/c.png,8,,M,018M,,test,s3,
"""
ONE_HOT = """\
filepath,dataset,split,modality,anatomic_region,XR/chest/Atelectasis,XR/chest/No Finding
nih14/a.png,nih14,train,XR,chest,1,0
mimic/b.jpg,mimic,val,XR,chest,0.0,1.0
mimic/c.jpg,mimic,test,XR,chest,-1,
"""


def make(place: Path, text: str) -> Path:
    touch(place, *(f"images/{name}.png" for name in "abc"))
    touch(place, "nih14/a.png", "mimic/b.jpg", "mimic/c.jpg")
    return write(place / "manifest.csv", text)


@pytest.mark.parametrize("text", [PLAIN, "\ufeff" + PLAIN, PLAIN.replace("\n", "\r\n")])
def test_the_plain_layout(tmp_path: Path, text: str) -> None:
    make(tmp_path, text)
    found = manifest.read(tmp_path)
    assert found.name == tmp_path.name
    assert found.ids == ("images/a.png", "images/b.png", "images/c.png")
    assert found.patients == ("7", "7", "8")
    assert found.label_names == ("Mass", "Nodule")
    assert found.states.tolist() == [[1, 1], [0, 0], [-2, -2]]
    assert found.splits == ("train", "val", "test")
    assert found.studies == ("s1", "s2", "s3")
    np.testing.assert_equal(found.numbers["age"], [55, np.nan, 1.5])
    assert {name: column.tolist() for name, column in found.attributes.items()} == {
        "view": ["PA", "AP", ""],
        "sex": ["F", "", "M"],
        "age_band": ["40-59", "", "0-17"],
        "origin": ["here, there", "there", ""],
    }
    assert found.paths == tuple(tmp_path / one for one in found.ids)


def test_only_three_columns_are_needed(tmp_path: Path) -> None:
    found = manifest.read(make(tmp_path, "file,patient_id,labels\nimages/a.png,7,x\n"))
    assert (found.attributes, found.numbers, found.splits) == ({}, {}, ())


def test_one_column_for_each_label(tmp_path: Path) -> None:
    found = manifest.read(make(tmp_path, ONE_HOT))
    assert found.label_names == ("XR/chest/Atelectasis", "XR/chest/No Finding")
    assert found.states.tolist() == [[1, 0], [0, 1], [-1, -2]]
    assert found.splits == ("train", "val", "test")
    assert sorted(found.attributes) == ["anatomic_region", "dataset", "modality"]
    assert found.paths[0] == tmp_path / "nih14/a.png"
    assert found.patients == found.ids
    (note,) = found.notes
    assert f"{tmp_path / 'manifest.csv'} names no patients" in note


def test_one_column_for_each_label_with_patients_and_another_root(tmp_path: Path) -> None:
    text = ONE_HOT.replace("region,", "region,patient_id,").replace("chest,", "chest,p1,")
    path = write(tmp_path / "lists" / "all.csv.gz", text.replace("XR/chest,p1,", "XR/chest/"))
    touch(tmp_path, "nih14/a.png", "mimic/b.jpg", "mimic/c.jpg")
    found = manifest.read(path, root=tmp_path)
    assert found.patients == ("p1",) * 3
    assert found.paths[2] == tmp_path / "mimic/c.jpg"
    assert found.notes == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("path,label\n1,2\n", "has no column 'file', 'patient_id', 'labels'; it has 'path', "),
        ("file,patient_id,labels\n", "holds a header and no rows"),
        ("file,labels\nimages/a.png,x\n", "has no column 'patient_id'"),
        ("file,patient_id,labels\nimages/a.png,,x\n", "line 2, column 'patient_id': an empty cell"),
        ("file,patient_id,labels\nimages/a.png,7\n", "line 2: 2 cells where the header names 3"),
        ("file,patient_id,labels\nimages/a.png,7,x,y\n", "line 2: 4 cells where the header"),
        (
            "file,patient_id,labels\n../a.png,7,x\n",
            "line 2, column 'file': '../a.png' lies outside",
        ),
        ("file,patient_id,labels\n/a.png,7,x\n", "line 2, column 'file': '/a.png' lies outside"),
        (PLAIN.replace("c.png", "a.png"), "line 4, column 'file': 'images/a.png' stands in line 2"),
        (PLAIN.replace("018M", "young"), "line 4, column 'age': 'young' is no age"),
        (PLAIN.replace(",M,", ",X,"), "line 4, column 'sex': 'X' is no sex"),
        (ONE_HOT.replace("-1", "7"), "line 4, column 'XR/chest/Atelectasis': '7' is no state"),
        (ONE_HOT.replace("mimic/b.jpg", ""), "line 3, column 'filepath': an empty cell"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ReaderError, match=f"manifest.csv.*{reason}"):
        manifest.read(make(tmp_path, text))


@pytest.mark.parametrize("data", [b"file,patient_id,labels\n\xff.png,7,x\n"])
def test_a_manifest_of_other_text_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "manifest.csv").write_bytes(data)
    with pytest.raises(ReaderError, match=r"manifest\.csv is not UTF-8 text: .*save it as UTF-8"):
        manifest.read(tmp_path)


@pytest.mark.parametrize("text", [PLAIN, ONE_HOT])
def test_missing_images(tmp_path: Path, text: str) -> None:
    path = make(tmp_path, text)
    (tmp_path / "images/b.png").unlink()
    (tmp_path / "mimic/b.jpg").unlink()
    with pytest.raises(ReaderError, match=r"1 of 3 image files are not in .*/b\.(png|jpg)\. Put"):
        manifest.read(path)
    assert len(manifest.read(path, images=Images.PRESENT)) == 2
    assert manifest.read(path, images=Images.NONE).paths == ()


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match=r"no manifest .*manifest\.csv"):
        manifest.read(tmp_path)


@pytest.mark.shared_data
def test_the_shared_manifests(shared_data: Path) -> None:
    # counts from the README of the shared data and from the files by hand
    chest = manifest.read(shared_data / "cxr")
    assert len(chest) == 863
    assert (chest.label("Pneumonia") == 1).sum() == 260
    assert chest.attributes["view"].tolist().count("AP Supine") == 7
    several = manifest.read(shared_data / "multi" / "manifest.csv")
    assert len(several) == 1262
    assert (several.states == -2).all(axis=1).sum() == 49
    assert (several.label("kl4") == 1).sum() == 60
