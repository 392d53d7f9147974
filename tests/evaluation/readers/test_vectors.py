"""Vectors that were computed already."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.collection import Collection
from evaluation.readers import vectors
from evaluation.readers.fault import ReaderError
from evaluation.readers.images import Images
from tests.evaluation.readers.made import write

TEXT = """\
Image Index,prob_Edema,prob_Mass,patient_id,labels,view
a.png,0.25,1e-3,nih-1,Infiltration,PA
b.png,0.5,0.125,nih-1,No Finding,AP
c.png,0.75,1,nih-2,Mass|Edema,
"""
ARRAYS: dict[str, Any] = {
    "ids": np.array(["a", "b"]),
    "vectors": np.array([[1.0, 2.0], [3.0, 4.0]]),
    "patients": np.array(["1", "2"]),
    "labels": np.array(["x|y", "No Finding"]),
    "view": np.array(["PA", "AP"]),
}


def packed(path: Path, **changes: Any) -> Path:
    arrays = {name: array for name, array in (ARRAYS | changes).items() if array is not None}
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("name", ["predictions.csv", "predictions.csv.gz"])
def test_a_table_of_vectors(tmp_path: Path, name: str) -> None:
    found, rows = vectors.read_vectors(write(tmp_path / name, TEXT))
    assert found.name == "predictions"
    assert found.ids == ("a.png", "b.png", "c.png")
    assert found.patients == ("nih-1", "nih-1", "nih-2")
    assert found.label_names == ("Edema", "Infiltration", "Mass")
    assert found.states.tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 1]]
    assert found.attributes["view"].tolist() == ["PA", "AP", ""]
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(
        rows, np.array([[0.25, 0.001], [0.5, 0.125], [0.75, 1]], np.float32)
    )
    assert vectors.read(tmp_path / name).ids == found.ids


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("0.125", "nan", "line 3, column 'prob_Mass': 'nan' is no finite number; compute"),
        ("0.125", "1e60", "line 3, column 'prob_Mass': '1e60' is no finite number"),
        ("0.125", "high", "line 3, column 'prob_Mass': 'high' is no number"),
        ("0.125", "", "line 3, column 'prob_Mass': '' is no finite number"),
        ("c.png", "a.png", "line 4, column 'Image Index': 'a.png' stands in line 2"),
        ("patient_id", "patient", "no column 'patient_id'"),
        ("Image Index", "name", "no column 'id'"),
        ("prob_", "p_", "has no column named prob_"),
        ("nih-2", "", "line 4, column 'patient_id': an empty cell"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    path = write(tmp_path / "predictions.csv", TEXT.replace(old, new))
    with pytest.raises(ReaderError, match=f"predictions.csv.*{reason}"):
        vectors.read_vectors(path)


def test_a_file_of_arrays(tmp_path: Path) -> None:
    found, rows = vectors.read_vectors(packed(tmp_path / "set.npz"))
    assert (found.name, found.ids, found.patients) == ("set", ("a", "b"), ("1", "2"))
    assert found.label_names == ("x", "y")
    assert found.states.tolist() == [[1, 1], [0, 0]]
    assert found.attributes["view"].tolist() == ["PA", "AP"]
    assert rows.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"vectors": None}, "has no array 'vectors'; it has ids, labels, patients, view"),
        ({"ids": None}, "has no array 'ids'"),
        ({"patients": None}, "has no array patients; read it for a collection"),
        ({"ids": np.array(["a", "a"])}, "ids must be a list of texts, each once"),
        ({"ids": np.array([1, 2])}, "ids must be a list of texts"),
        ({"vectors": np.array([1.0, 2.0])}, r"float64 of shape \(2,\), not floating point numbers"),
        ({"vectors": np.array([[1], [2]])}, "vectors are int64"),
        ({"view": np.array(["PA"])}, "view have not one entry for each of 2 ids"),
        ({"vectors": np.array([[1, np.inf], [2, 3]])}, "vectors of a are not finite"),
        ({"labels": np.array(["x", None])}, "is no whole npz file without pickles"),
    ],
)
def test_a_fault_of_the_arrays_is_named(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ReaderError, match=rf"set\.npz.*{reason}"):
        vectors.read_vectors(packed(tmp_path / "set.npz", **changes))


def test_files_that_are_no_npz(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no", encoding="utf-8")
    whole = packed(tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    for name in ("text.npz", "cut.npz"):
        with pytest.raises(ReaderError, match=f"{name} is no whole npz file"):
            vectors.read_vectors(tmp_path / name)
    with pytest.raises(ReaderError, match=r"there is no file .*absent\.npz"):
        vectors.read_vectors(tmp_path / "absent.npz")


def test_vectors_of_a_collection_in_its_order(tmp_path: Path) -> None:
    two = Collection("Set", ("b", "a"), ("1", "2"), (), np.empty((2, 0), np.int8))
    path = packed(tmp_path / "v.npz", ids=None, keys=ARRAYS["ids"], patients=None, labels=None)
    assert vectors.vectors_for(two, path).tolist() == [[3, 4], [1, 2]]
    table = write(tmp_path / "v.csv", "id,prob_0,prob_1\na,1,2\nc,9,9\nb,3,4\n")
    assert vectors.vectors_for(two, table).tolist() == [[3, 4], [1, 2]]


def test_images_without_a_vector_are_refused(tmp_path: Path) -> None:
    three = Collection("Set", ("b", "x", "y"), ("1", "2", "3"), (), np.empty((3, 0), np.int8))
    with pytest.raises(ReaderError, match=r"v\.npz has no vector for 2 images of Set: x, y; comp"):
        vectors.vectors_for(three, packed(tmp_path / "v.npz"))


def test_vectors_have_no_images(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match="holds vectors; read it without images"):
        vectors.read(packed(tmp_path / "v.npz"), images=Images.ALL)


@pytest.mark.shared_data
def test_the_shared_vectors(shared_data: Path) -> None:
    found, rows = vectors.read_vectors(shared_data / "cxr" / "predictions.csv.gz")
    assert rows.shape == (11346, 14)
    assert len(found.label_names) == 14
    # the first row, as it stands in the file
    assert (found.ids[0], found.patients[0]) == ("00000010_000.png", "nih-00010")
    assert found.label("Infiltration")[0] == 1
    assert rows[0, :2].tolist() == pytest.approx([0.011619, 0.036951])
