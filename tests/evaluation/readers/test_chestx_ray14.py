"""ChestX-ray14 in the layouts of its two tables."""

from pathlib import Path

import numpy as np
import pytest

from evaluation.readers import chestx_ray14
from evaluation.readers.boxes import Box
from evaluation.readers.fault import ReaderError
from evaluation.readers.images import Images
from tests.evaluation.readers.made import replace_in, touch, write

# rows as they are published: eleven cells, and a comma at the end
OLD = """\
Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,\
OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],
00000001_000.png,Cardiomegaly,0,1,058Y,M,PA,2682,2749,0.143,0.143,
00000001_001.png,Cardiomegaly|Emphysema,1,1,058Y,M,PA,2894,2729,0.143,0.143,
00000002_000.png,No Finding,0,2,081Y,F,AP,2500,2048,0.171,0.171,
00005567_000.png,Pleural_Thickening|Hernia,0,5567,412Y,F,PA,2500,2048,0.168,0.168,
"""
NEW = OLD.replace("Gender", "Sex").replace("058Y", "57").replace("081Y", "80").replace("412Y", "12")
IMAGES = ("00000001_000.png", "00000001_001.png", "00000002_000.png", "00005567_000.png")
BOXES = """\
Image Index,Finding Label,Bbox [x,y,w,h],,,
00000001_000.png,Atelectasis,225.084745762712,547.019216763771,86.7796610169491,79.1864406779661,,,
00000001_000.png,Infiltrate,1,2,3,4,,,
"""


def make(place: Path, text: str = NEW, name: str = "Data_Entry_2017_v2020.csv") -> Path:
    write(place / name, text)
    write(place / "train_val_list.txt", "00000001_000.png\n00000001_001.png\n")
    write(place / "test_list.txt", "00000002_000.png\n00005567_000.png")
    touch(place, *(f"images/{image}" for image in IMAGES))
    return place


def test_the_later_table(tmp_path: Path) -> None:
    found = chestx_ray14.read(make(tmp_path))
    assert found.ids == IMAGES
    assert found.patients == ("1", "1", "2", "5567")
    assert len(found.label_names) == 14
    assert found.label("Cardiomegaly").tolist() == [1, 1, 0, 0]
    assert found.label("Hernia").tolist() == [0, 0, 0, 1]
    assert found.states.sum() == 5
    assert found.splits == ("train", "train", "test", "test")
    assert found.attributes["view"].tolist() == ["PA", "PA", "AP", "PA"]
    assert found.attributes["sex"].tolist() == ["M", "M", "F", "F"]
    assert found.attributes["age_band"].tolist() == ["40-59", "40-59", "80+", "0-17"]
    assert found.numbers["age"].tolist() == [57, 57, 80, 12]
    assert found.paths[0] == tmp_path / "images" / IMAGES[0]


@pytest.mark.parametrize("text", [OLD, OLD.replace(",\n", "\n"), OLD.replace("\n", "\r\n")])
def test_the_first_table(tmp_path: Path, text: str) -> None:
    found = chestx_ray14.read(make(tmp_path, text, "Data_Entry_2017.csv"))
    np.testing.assert_equal(found.numbers["age"], [58, 58, 81, np.nan])
    assert found.attributes["age_band"].tolist() == ["40-59", "40-59", "80+", ""]
    assert found.attributes["sex"].tolist() == ["M", "M", "F", "F"]


def test_images_as_they_are_unpacked(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "images").rename(tmp_path / "images_001")
    (tmp_path / "images_001" / IMAGES[3]).unlink()
    touch(tmp_path, *(f"images_001/images/{image}" for image in IMAGES[:3]))
    touch(tmp_path, f"images_012/images/{IMAGES[3]}")
    assert chestx_ray14.read(tmp_path).paths[3] == tmp_path / "images_012/images" / IMAGES[3]


def test_without_images(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "images" / IMAGES[1]).unlink()
    assert chestx_ray14.read(tmp_path, images=Images.NONE).paths == ()
    assert chestx_ray14.read(tmp_path, images=Images.PRESENT).ids == (IMAGES[0], *IMAGES[2:])
    with pytest.raises(ReaderError, match=r"ChestX-ray14: 1 of 4 image files .* 00000001_001\.png"):
        chestx_ray14.read(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Cardiomegaly,0,1", "Cardiomegalia,0,1", "line 2, column 'Finding Labels': 'Cardiomegal"),
        ("No Finding", "", "line 4, column 'Finding Labels': an empty cell"),
        (",57,M", ",old,M", "line 2, column 'Patient Age': 'old' is no age"),
        (",80,F", ",80,W", "line 4, column 'Patient Sex': 'W' is no sex"),
        ("0,2,80", "0,,80", "line 4, column 'Patient ID': an empty cell"),
        ("00000001_001", "00000001_000", "line 3, column 'Image Index': '00000001_000.png' stands"),
        ("00005567_000.png,", "00005568_000.png,", "line 5, .* is neither in train_val_list.txt"),
        ("View Position", "View", "no column 'View Position'"),
        ("Patient Sex", "Patient", "no column 'Patient Sex'"),
        ("Finding Labels", "Labels", "no column 'Finding Labels'"),
        ("PA,2682,2749,0.143,0.143,", "PA,2682", "line 2: 8 cells where the header names 11"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    make(tmp_path)
    replace_in(tmp_path / "Data_Entry_2017_v2020.csv", old, new)
    with pytest.raises(ReaderError, match=f"Data_Entry_2017_v2020.csv.*{reason}"):
        chestx_ray14.read(tmp_path)


@pytest.mark.parametrize(
    "name", ["Data_Entry_2017_v2020.csv", "train_val_list.txt", "test_list.txt"]
)
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    make(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ReaderError, match=f"there is no file .*{name}"):
        chestx_ray14.read(tmp_path)


def test_an_image_in_both_lists_is_refused(tmp_path: Path) -> None:
    make(tmp_path)
    write(tmp_path / "test_list.txt", "00000002_000.png\n00005567_000.png\n00000001_000.png\n")
    with pytest.raises(ReaderError, match=r"test_list\.txt: 00000001_000\.png stand in the other"):
        chestx_ray14.read(tmp_path)


@pytest.mark.parametrize("text", [BOXES, BOXES.replace(",,,\n", "\n").replace("h]\n", "h],,,\n")])
def test_boxes(tmp_path: Path, text: str) -> None:
    write(tmp_path / "BBox_List_2017.csv", text)
    boxes = chestx_ray14.read_boxes(tmp_path)
    first = (225.084745762712, 547.019216763771, 86.7796610169491, 79.1864406779661)
    assert boxes == {
        "00000001_000.png": (Box("Atelectasis", *first), Box("Infiltration", 1, 2, 3, 4))
    }


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Infiltrate", "Shadow", "line 3, column 'Finding Label': 'Shadow' is no label"),
        ("1,2,3,4", "1,2,wide,4", r"line 3, column 'w': 'wide' is no number"),
        ("1,2,3,4", "1,2,0,4", r"line 3, column 'w': the box of Infiltration is 0.0 x 4.0 pixels"),
        ("1,2,3,4", "1,2,,4", r"line 3, column 'w': the box"),
        ("Bbox [x,y,w,h]", "Bbox", r"no column 'Bbox \[x', 'y', 'w', 'h\]'"),
    ],
)
def test_a_fault_of_the_boxes_is_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    write(tmp_path / "BBox_List_2017.csv", BOXES.replace(old, new))
    with pytest.raises(ReaderError, match=f"BBox_List_2017.csv.*{reason}"):
        chestx_ray14.read_boxes(tmp_path)
