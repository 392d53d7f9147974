"""RadImageNet in its published layout."""

from pathlib import Path

import pytest

from evaluation.readers import radimagenet
from evaluation.readers.fault import ReaderError
from evaluation.readers.images import Images
from tests.evaluation.readers.made import replace_in, touch, write

TRAIN = """\
filename,label
radiology_ai/CT/lung/normal/lung-normal000032.png,lung-normal
radiology_ai/MR/knee/acl_pathology/knee-acl000001.png,acl_pathology
radiology_ai/US/liver/usn300001.png,usn300001-liver
radiology_ai/US/thyroid_nodule/usn300002.png,thyroid_nodule
"""
VAL = "filename,label\nradiology_ai/CT/lung/normal/lung-normal000033.png,lung-normal\n"
TEST = "filename,label\nradiology_ai/CT/abd/normal/abd-normal000001.png,abd-normal\n"


def make(place: Path) -> Path:
    for split, text in (("train", TRAIN), ("val", VAL), ("test", TEST)):
        write(place / f"RadiologyAI_{split}.csv", text)
        touch(place, *(row.partition(",")[0] for row in text.splitlines()[1:]))
    return place


def test_folders_tell_modality_and_region(tmp_path: Path) -> None:
    found = radimagenet.read(make(tmp_path))
    assert found.splits == ("train",) * 4 + ("val", "test")
    assert found.attributes["modality"].tolist() == ["CT", "MR", "US", "US", "CT", "CT"]
    regions = ["lung", "knee", "liver", "thyroid", "lung", "abd"]
    assert found.attributes["anatomic_region"].tolist() == regions
    assert found.label("lung-normal").tolist() == [1, 0, 0, 0, 1, 0]
    assert found.states.sum(axis=1).tolist() == [1] * 6
    assert found.patients == found.ids
    assert "RadImageNet names no patients" in " ".join(found.notes)
    assert found.paths[0] == tmp_path / "radiology_ai/CT/lung/normal/lung-normal000032.png"


def test_labels_from_the_folders(tmp_path: Path) -> None:
    found = radimagenet.read(make(tmp_path), labels_from="folder")
    assert found.label_names == (
        "CT/abd/normal",
        "CT/lung/normal",
        "MR/knee/acl_pathology",
        "US/liver/normal",
        "US/thyroid/nodule",
    )
    assert found.label("CT/lung/normal").tolist() == [1, 0, 0, 0, 1, 0]


def test_tables_in_the_folder_of_the_images(tmp_path: Path) -> None:
    make(tmp_path)
    inside = tmp_path / "radiology_ai"
    for path in tmp_path.glob("*.csv"):
        path.rename(inside / path.name)
    assert radimagenet.read(inside).paths[0].is_file()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("radiology_ai/CT", "CT", "line 2, column 'filename': .* is no file of RadImageNet"),
        ("/MR/knee", "/PET/knee", "line 3, column 'filename': .* is no file of RadImageNet"),
        ("/CT/lung/normal", "/CT/lung", "line 2, column 'filename'"),
        (",acl_pathology", ",", "line 3, column 'label': an empty cell"),
        ("filename,label", "filename,class", "no column 'label'"),
        ("usn300002.png", "usn300001.png", "line 5, column 'filename': .* in line 4 already"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    make(tmp_path)
    replace_in(tmp_path / "RadiologyAI_train.csv", old, new)
    if "usn" in old:
        replace_in(tmp_path / "RadiologyAI_train.csv", "US/thyroid_nodule", "US/liver")
    with pytest.raises(ReaderError, match=f"RadiologyAI_train.csv.*{reason}"):
        radimagenet.read(tmp_path)


def test_an_image_in_two_splits_is_refused(tmp_path: Path) -> None:
    write(make(tmp_path) / "RadiologyAI_val.csv", TRAIN)
    with pytest.raises(ReaderError, match="images stand in two of its lists: radiology_ai/CT"):
        radimagenet.read(tmp_path, images=Images.NONE)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    (make(tmp_path) / "RadiologyAI_val.csv").unlink()
    with pytest.raises(ReaderError, match=r"no file .*RadiologyAI_val\.csv"):
        radimagenet.read(tmp_path)
