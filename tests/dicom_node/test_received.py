"""From a received file's header to its record: ages, UIDs, odd bytes, and the digest."""

import hashlib
import json
import struct
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from dicom_node.instance_uids import UnidentifiedError, read_instance_uids
from dicom_node.received import UnreadableError, age_in_years, read_received
from storage.received import ReceivedInstance
from tests.dicom_node.objects import INSTANCE, SERIES, STUDY, encoded, radiograph, write_file

NAME = "20260301/120000.000000-0badcafe.dcm"


def _read(folder: Path, dataset: Dataset, **meta: Any) -> ReceivedInstance:
    return read_received(write_file(folder / "a.dcm", encoded(dataset), **meta), NAME)


def test_what_identifies_an_instance_is_read(tmp_path: Path) -> None:
    received = _read(tmp_path, radiograph())
    assert received.study_instance_uid == STUDY
    assert received.series_instance_uid == SERIES
    assert received.sop_instance_uid == INSTANCE
    assert received.transfer_syntax_uid == ExplicitVRLittleEndian
    assert (received.modality, received.patient_id, received.sex) == ("CR", "P1", "F")
    assert received.received_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert received.header is not None
    assert received.left_out is None


@pytest.mark.parametrize(
    ("age", "born", "at", "expected"),
    [
        ("045Y", None, None, 45),
        ("000Y", None, None, 0),
        ("018M", None, None, 1),
        ("011M", None, None, 0),
        ("104W", None, None, 1),  # 728 days
        ("105W", None, None, 2),  # 735 days
        ("365D", None, None, 0),
        ("366D", None, None, 1),
        ("045Y", "19000101", "20260101", 45),  # the attribute goes before the dates
        ("45Y", "19760302", "20260301", 49),  # no Age String, so the dates count
        ("045X", None, None, None),
        ("", "19760301", "20260301", 50),
        (None, "19760302", "20260301", 49),
        (None, "20000229", "20010228", 0),
        (None, "20000229", "20010301", 1),
        (None, "20260302", "20260301", None),  # born after the study
        (None, "19761302", "20260301", None),
        (None, "20230230", "20260301", None),
        (None, "1976-03-02", "20260301", None),
        (None, "19760302", None, None),
        (None, None, "20260301", None),
    ],
)
def test_ages(age: str | None, born: str | None, at: str | None, expected: int | None) -> None:
    assert age_in_years(age, born=born, at=at) == expected


UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")


@pytest.mark.parametrize("keyword", UIDS)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_uid_is_named(tmp_path: Path, keyword: str, value: str | None) -> None:
    attributes: dict[str, Any] = {keyword: value}
    with pytest.raises(UnreadableError, match=f"{keyword} is missing"):
        _read(tmp_path, radiograph(**attributes))


@pytest.mark.parametrize("keyword", UIDS)
@pytest.mark.parametrize("value", ["../../evil", "1.2.x", "1." * 32 + "1", "1.2\\1.3", "1 2"])
def test_what_is_no_uid_is_named(tmp_path: Path, keyword: str, value: str) -> None:
    """PS3.5 9.1: digits and periods, at most 64 characters."""
    with pytest.raises(UnreadableError, match=f"{keyword} is no UID"):
        _read(tmp_path, radiograph(**{keyword: value}))


@pytest.mark.parametrize("content", [b"", b"no DICOM", b"\0" * 128 + b"DICM"])
def test_what_is_no_dicom_file_is_unreadable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(content)
    with pytest.raises(UnreadableError):
        read_received(path, NAME)


def test_an_instance_that_shows_nothing_keeps_its_reason(tmp_path: Path) -> None:
    received = _read(tmp_path, radiograph(Rows=None))
    assert received.header is None
    assert "(0028,0010) Rows" in (received.left_out or "")


def test_nul_bytes_never_reach_the_database(tmp_path: Path) -> None:
    """PostgreSQL takes U+0000 neither in text nor in JSON; senders pad with it all the same."""
    dataset = radiograph(PatientID="P\0001", StudyDescription="a\0b", PatientName="A\0^B")
    received = _read(tmp_path, dataset, syntax=f"{ExplicitVRLittleEndian}\0")
    assert (received.patient_id, received.description) == ("P1", "ab")
    assert received.transfer_syntax_uid == ExplicitVRLittleEndian
    assert "\\u0000" not in json.dumps(received.attributes)


def test_names_in_other_scripts_are_kept(tmp_path: Path) -> None:
    """PS3.5 H.3: a Japanese name in three component groups, by ISO 2022."""
    name = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"
    dataset = radiograph(SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName=None)
    element = struct.pack("<HH2sH", 0x10, 0x10, b"PN", len(name) + len(name) % 2)
    data = encoded(dataset)
    at = data.index(struct.pack("<HH", 0x10, 0x20))
    data = data[:at] + element + name.ljust(len(name) + len(name) % 2) + data[at:]
    received = read_received(write_file(tmp_path / "a.dcm", data), NAME)
    assert received.attributes["00100010"]["Value"] == [
        {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    ]
    assert received.attributes["00080005"]["Value"] == ["", "ISO 2022 IR 87"]


def test_an_unknown_character_set_is_no_obstacle(tmp_path: Path) -> None:
    data = encoded(radiograph(SpecificCharacterSet="ISO_IR 100", PatientID="Ä1"))
    data = data.replace(b"ISO_IR 100", b"NONSENSE 9")
    received = read_received(write_file(tmp_path / "a.dcm", data), NAME)
    received.patient_id.encode("utf-8")
    assert received.patient_id.endswith("1")


def test_the_digest_is_of_the_data_set_alone(tmp_path: Path) -> None:
    """Another sender's File Meta Information around the same bytes makes no other instance."""
    data = encoded(radiograph())
    one = read_received(write_file(tmp_path / "a.dcm", data), NAME)
    other = read_received(write_file(tmp_path / "b.dcm", data, instance="1.2.3.4.5.6.7"), NAME)
    changed = bytearray(data)
    changed[-1] ^= 1
    third = read_received(write_file(tmp_path / "c.dcm", bytes(changed)), NAME)
    assert one.sha256 == other.sha256 != third.sha256


def test_the_digest_is_sha256(tmp_path: Path) -> None:
    data = encoded(radiograph())
    received = read_received(write_file(tmp_path / "a.dcm", data), NAME)
    assert received.sha256 == hashlib.sha256(data).hexdigest()


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    """A data set with bytes overwritten, left out or put in, or cut short."""
    data = bytearray(encoded(radiograph(PixelData=b"")))
    for _ in range(draw(st.integers(0, 8))):
        at, length = draw(st.integers(0, len(data))), draw(st.integers(0, 4))
        data[at : at + length] = draw(st.binary(max_size=4))
    return bytes(data[: draw(st.integers(0, len(data)) | st.just(len(data)))])


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=_damaged())
def test_damaged_data_sets_are_read_or_refused_and_nothing_else(
    tmp_path: Path, data: bytes
) -> None:
    """Anything else would end the thread that takes files in, and with it the node's work."""
    received = _readable(tmp_path, data)
    if received is not None:
        assert "\0" not in received.patient_id + received.modality
        json.dumps(received.header, allow_nan=False)
        json.dumps(received.attributes, allow_nan=False, ensure_ascii=False).encode()


def test_a_data_set_cut_short_anywhere_is_read_or_refused(tmp_path: Path) -> None:
    """Among the cuts is one inside the four-byte length of an OB element (PS3.5 7.1.2)."""
    data = encoded(radiograph(EncapsulatedDocument=b"1234", PixelData=None))
    readable = [_readable(tmp_path, data[:length]) is not None for length in range(len(data))]
    assert not readable[0]
    assert readable[-1]


def test_an_element_of_the_wrong_vr_is_refused(tmp_path: Path) -> None:
    """A Study Description said to be UL, whose six bytes are no 32-bit numbers."""
    data = encoded(radiograph(StudyDescription="CHEST1")).replace(b"\x30\x10LO", b"\x30\x10UL")
    with pytest.raises(UnreadableError, match="0008,1030"):
        read_received(write_file(tmp_path / "a.dcm", data), NAME)


def _readable(folder: Path, data: bytes) -> ReceivedInstance | None:
    with suppress(UnidentifiedError):
        read_instance_uids(data, 0, ExplicitVRLittleEndian)
    try:
        return read_received(write_file(folder / "a.dcm", data), NAME)
    except UnreadableError:
        return None
