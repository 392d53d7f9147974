"""Which layout lies in a place, told without its name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from evaluation.readers import READERS, recognised
from tests.evaluation.readers import (
    test_chestx_ray14,
    test_chexpert,
    test_covidx,
    test_dicom,
    test_manifest,
    test_mimic_cxr_jpg,
    test_nlst,
    test_padchest,
    test_radimagenet,
    test_vectors,
)
from tests.evaluation.readers.made import write

MADE: dict[str, Callable[[Path], Path]] = {
    "chestx-ray14": test_chestx_ray14.make,
    "chexpert": test_chexpert.make,
    "mimic-cxr-jpg": test_mimic_cxr_jpg.make,
    "radimagenet": test_radimagenet.make,
    "covidx": test_covidx.make,
    "nlst": test_nlst.make,
    "padchest": test_padchest.make,
    "manifest": lambda place: test_manifest.make(place, test_manifest.PLAIN),
    "dicom": test_dicom.make,
    "vectors": lambda place: test_vectors.packed(place / "vectors.npz"),
}


@pytest.mark.parametrize("name", READERS)
def test_every_layout_is_recognised_and_read(tmp_path: Path, name: str) -> None:
    place = MADE[name](tmp_path)
    assert recognised(place) == name
    assert len(READERS[name].read(place)) > 0


def test_every_reader_is_named() -> None:
    assert sorted(READERS) == sorted(MADE)


def test_single_files(tmp_path: Path) -> None:
    assert recognised(write(tmp_path / "p.csv.gz", test_vectors.TEXT)) == "vectors"
    assert recognised(write(tmp_path / "m.csv", test_manifest.ONE_HOT)) == "manifest"
    assert recognised(write(tmp_path / "m.csv", test_manifest.PLAIN)) == "manifest"


def test_what_is_none_is_not_guessed(tmp_path: Path) -> None:
    assert recognised(tmp_path) is None
    assert recognised(tmp_path / "absent") is None
    assert recognised(write(tmp_path / "train.csv", "a,b\n1,2\n")) is None
    assert recognised(tmp_path) is None


@pytest.mark.shared_data
def test_the_shared_data_is_recognised(shared_data: Path) -> None:
    assert recognised(shared_data / "cxr") == "manifest"
    assert recognised(shared_data / "cxr" / "predictions.csv.gz") == "vectors"
    assert recognised(shared_data / "dicom") == "dicom"
