"""What was fetched is what was wanted, or its file is gone; where a file's data set begins."""

import hashlib
from pathlib import Path

import pytest
from pydicom.errors import InvalidDicomError
from pydicom.uid import CTImageStorage, ImplicitVRLittleEndian

from dicom_node.part10 import data_set_start, dataset_digest
from dicom_node.retrieving.arrived import checked, new_file
from dicom_node.retrieving.retriever import RetrieveError, RetrieverAwayError, WantedInstance
from tests.dicom_node.objects import INSTANCE, SERIES, STUDY, encoded, radiograph, write_file
from tests.dicom_node.raw_peer import CR

DATA = encoded(radiograph())
WANTED = WantedInstance(STUDY, SERIES, CR, INSTANCE)


def test_the_wanted_instance_passes(tmp_path: Path) -> None:
    path = write_file(tmp_path / "fetched.dcm", DATA)
    assert checked(path, WANTED, "pacs") == path
    assert path.exists()


def test_study_and_series_may_have_been_mended_in_the_archive(tmp_path: Path) -> None:
    """A study that was merged into another keeps its SOP instances (PS3.3 C.12.1)."""
    path = write_file(tmp_path / "fetched.dcm", encoded(radiograph(study="1.2.3")))
    assert checked(path, WANTED, "pacs") == path


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (encoded(radiograph("1.2.3")), "gave another instance than it was asked for: 1.2.3 of"),
        (encoded(radiograph(SOPClassUID=CTImageStorage)), "gave another instance than it was"),
        (encoded(radiograph(SOPInstanceUID=None)), "not readable as DICOM .*lacks a SOP Class"),
        (DATA[:60], "not readable as DICOM .*ends within an element"),
        (b"", "not readable as DICOM .*lacks a SOP Class"),
    ],
)
def test_another_instance_or_none_is_removed(data: bytes, told: str, tmp_path: Path) -> None:
    """Whatever its File Meta Information says."""
    path = write_file(tmp_path / "fetched.dcm", data)
    with pytest.raises(RetrieveError, match=f"^pacs: .*{told}") as caught:
        checked(path, WANTED, "pacs")
    assert not isinstance(caught.value, RetrieverAwayError)
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"no DICOM", bytes(128) + b"DICM", b"<html>" * 99])
def test_what_is_no_dicom_file_is_removed(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "fetched.dcm"
    path.write_bytes(content)
    with pytest.raises(RetrieveError, match="not readable as DICOM"):
        checked(path, WANTED, "pacs")
    assert not path.exists()


def test_names_are_ours_and_new(tmp_path: Path) -> None:
    paths = {new_file(tmp_path) for _ in range(100)}
    assert len(paths) == 100
    assert {path.parent for path in paths} == {tmp_path}


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, "1.2.840.10008.1.2.4.70"])
def test_the_digest_is_the_data_sets(syntax: str, tmp_path: Path) -> None:
    """Not the file's: the File Meta Information is written by whoever makes the file."""
    path = write_file(tmp_path / "file.dcm", DATA, syntax=syntax)
    assert path.read_bytes()[data_set_start(path) :] == DATA
    assert dataset_digest(path) == hashlib.sha256(DATA).hexdigest()


@pytest.mark.parametrize("cut", [131, 143])
def test_a_file_without_its_head_has_no_data_set(cut: int, tmp_path: Path) -> None:
    path = write_file(tmp_path / "file.dcm", DATA)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InvalidDicomError, match="File Meta Information is missing"):
        dataset_digest(path)
