"""The spool: durable files under our own names, and the quarantine beside it."""

import json
import re
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from dicom_node.spool import Spool, file_meta, received_at
from tests.dicom_node.objects import encoded, radiograph

OUR_NAME = re.compile(r"\d{8}/\d{6}\.\d{6}-[0-9a-f]{8}\.dcm")
HOSTILE = ["../../evil", "/etc/passwd", "1.2\0.3", "a" * 64, "."]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _block(spool: Spool) -> None:
    """Puts a file in the place of the spool's folder, so that nothing can be written there."""
    shutil.rmtree(spool.folder)
    spool.folder.touch()


def test_what_is_put_is_there_byte_for_byte(spool: Spool) -> None:
    name = spool.put(b"head", memoryview(b"body"))
    assert OUR_NAME.fullmatch(name)
    assert _files(spool.folder) == [spool.path(name)]
    assert spool.path(name).read_bytes() == b"headbody"


@pytest.mark.parametrize("uid", HOSTILE)
def test_the_networks_uids_never_name_a_file(spool: Spool, tmp_path: Path, uid: str) -> None:
    meta = file_meta(
        sop_class_uid=uid, sop_instance_uid=uid, transfer_syntax_uid=uid, calling_ae="A"
    )
    name = spool.put(meta, b"")
    assert OUR_NAME.fullmatch(name)
    assert _files(tmp_path) == [spool.path(name)]


def test_the_file_tells_who_sent_it_and_what_it_is(spool: Spool) -> None:
    meta = file_meta(
        sop_class_uid=CTImageStorage,
        sop_instance_uid="1.2.3",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        calling_ae="CT1",
    )
    data = encoded(radiograph())
    read = pydicom.dcmread(BytesIO(spool.path(spool.put(meta, data)).read_bytes()))
    assert read.file_meta.SourceApplicationEntityTitle == "CT1"
    assert read.file_meta.MediaStorageSOPClassUID == CTImageStorage
    assert read.file_meta.MediaStorageSOPInstanceUID == "1.2.3"
    assert encoded(read) == data


def test_names_come_oldest_first_across_days(spool: Spool) -> None:
    names = [spool.put(b"x") for _ in range(5)]
    (spool.folder / "20010101").mkdir()
    oldest = "20010101/235959.999999-00000000.dcm"
    spool.path(oldest).touch()
    assert list(spool.names()) == [oldest, *names]


@pytest.mark.parametrize("stray", ["20010101/x.dcm", "20010101/notes.txt", "other/y.dcm", "z.dcm"])
def test_files_that_are_not_ours_are_let_alone(spool: Spool, stray: str) -> None:
    spool.path(stray).parent.mkdir(exist_ok=True)
    spool.path(stray).touch()
    assert list(spool.names()) == []


def test_a_folder_that_cannot_be_written_leaves_nothing_behind(spool: Spool) -> None:
    _block(spool)
    with pytest.raises(NotADirectoryError):
        spool.put(b"x")
    assert spool.folder.read_bytes() == b""


@contextmanager
def _largest_file(size: int) -> Iterator[None]:
    """The kernel refuses to let any file of this process grow beyond ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_cannot_be_finished_leaves_nothing_behind(spool: Spool) -> None:
    """The disk refuses half way: what was written by then is taken away again."""
    spool.put(b"first")
    before = _files(spool.folder)
    with _largest_file(1 << 20), pytest.raises(OSError, match="File too large"):
        spool.put(b"begun", bytes(1 << 21))
    assert _files(spool.folder) == before


def test_what_a_crash_left_half_written_is_swept(spool: Spool) -> None:
    name = spool.put(b"whole")
    (spool.aside / "0123456789abcdef.part").write_bytes(b"ha")
    assert list(spool.names()) == [name]
    assert spool.sweep() == 1
    assert _files(spool.folder) == [spool.path(name)]


def test_removing_twice_is_no_fault(spool: Spool) -> None:
    name = spool.put(b"x")
    spool.remove(name)
    spool.remove(name)
    assert list(spool.names()) == []


def test_the_quarantine_keeps_bytes_reason_and_time(spool: Spool) -> None:
    name = spool.put(b"bad")
    kept = spool.quarantine(name, "no pixels")
    assert kept.read_bytes() == b"bad"
    assert list(spool.names()) == []
    assert list(spool.quarantined()) == [(kept.name, "no pixels")]
    note = json.loads(kept.with_suffix(".json").read_text())
    assert datetime.fromisoformat(note["received_at"]) == received_at(name)


def test_the_quarantine_is_listed_oldest_first(spool: Spool) -> None:
    names = [spool.put(b"bad") for _ in range(4)]
    for name in reversed(names):
        spool.quarantine(name, name)
    assert [reason for _, reason in spool.quarantined()] == names


def test_the_time_of_receipt_stands_in_the_name() -> None:
    expected = datetime(2026, 3, 1, 23, 59, 58, 123456, tzinfo=UTC)
    assert received_at("20260301/235958.123456-deadbeef.dcm") == expected


def test_a_file_put_now_was_received_now(spool: Spool) -> None:
    before = datetime.now(UTC)
    assert before <= received_at(spool.put(b"x")) <= datetime.now(UTC)
