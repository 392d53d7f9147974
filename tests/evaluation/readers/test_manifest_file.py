"""Manifests: what is read, and that each fault is named."""

from pathlib import Path

import pytest

from evaluation.readers.manifest_file import ManifestError, read_manifest


def write(folder: Path, text: str) -> Path:
    (folder / "a.png").touch()
    manifest = folder / "manifest.csv"
    manifest.write_text(text, encoding="utf-8")
    return manifest


def test_rows_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "file,patient_id,view,labels\na.png,7,PA,Mass|Nodule\na.png,8,AP,\n"
    first, second = read_manifest(write(tmp_path, text))
    assert first.path == tmp_path / "a.png"
    assert (first.patient_id, second.patient_id) == ("7", "8")
    assert (first.labels, second.labels) == (("Mass", "Nodule"), ())
    assert (first.column("view"), second.column("view")) == ("PA", "AP")


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    manifest = write(tmp_path, "\ufefffile,patient_id,labels\na.png,7,x\n")
    assert len(read_manifest(manifest)) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "'file', 'patient_id', 'labels'"),
        ("file,labels\na.png,x\n", "no column 'patient_id'"),
        ("file,patient_id,labels\nb.png,7,x\n", r"line 2: there is no image .*b\.png"),
        ("file,patient_id,labels\na.png,7,x\na.png,,x\n", "line 3: patient_id is empty"),
        ("file,patient_id,labels\na.png,7\n", "line 2: not as many cells"),
        ("file,patient_id,labels\na.png,7,x,y\n", "line 2: not as many cells"),
        ("file,patient_id,labels\n../a.png,7,x\n", "line 2: '../a.png' lies outside"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ManifestError, match=reason):
        read_manifest(write(tmp_path, text))


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"no manifest .*absent\.csv"):
        read_manifest(tmp_path / "absent.csv")


def test_a_missing_further_column_is_named(tmp_path: Path) -> None:
    (row,) = read_manifest(write(tmp_path, "file,patient_id,labels\na.png,7,x\n"))
    with pytest.raises(ManifestError, match="no column 'view'"):
        row.column("view")


@pytest.mark.shared_data
@pytest.mark.parametrize(("name", "count"), [("cxr", 863), ("multi", 1262)])
def test_the_shared_manifests_are_read(shared_data: Path, name: str, count: int) -> None:
    # the counts stand in the README of the shared data
    assert len(read_manifest(shared_data / name / "manifest.csv")) == count
