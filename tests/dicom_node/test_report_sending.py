"""A report and its picture to peers that take both, one, another class, another syntax, neither."""

import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    CTImageStorage,
    EnhancedSRStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)

from dicom_node.report_sending import proposed_contexts, send_report
from dicom_node.scu import SendError
from storage.sends import SOPReference
from tests.dicom_node.receivers import (
    OURS,
    STORESCP,
    Receiver,
    peer_at,
    picture_file,
    receiver,
    report_file,
    storescp,
)

SC = SecondaryCaptureImageStorage
THREE_D, COMPREHENSIVE, ENHANCED = (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
)
ALL = (THREE_D, COMPREHENSIVE, ENHANCED, SC)


def _send(
    port: int, report: bytes | None = None, picture: bytes | None = None
) -> list[SOPReference]:
    report, picture = report or report_file(), picture or picture_file()
    return send_report(peer_at(port), report, picture, calling_ae=OURS)


def _data_set(file: bytes) -> bytes:
    """What follows the file meta information."""
    meta = pydicom.dcmread(BytesIO(file)).file_meta
    return file[128 + 4 + 12 + int(meta.FileMetaInformationGroupLength) :]


def test_both_go_over_one_association_byte_for_byte(free_port: int) -> None:
    """Also where the peer, if it could choose, would choose implicit VR."""
    report, picture = report_file(), picture_file()
    with receiver(free_port, sop_classes=ALL) as got:
        taken = _send(free_port, report, picture)
    assert got.encoded == [_data_set(report), _data_set(picture)]
    assert len(got.associations) == 1
    assert [entry.sop_class_uid for entry in taken] == [THREE_D, SC]
    assert [entry.sop_instance_uid for entry in taken] == got.uids()


@pytest.mark.skipif(not STORESCP.exists(), reason="left out: DCMTK's storescp is not installed")
def test_dcmtk_gets_both(free_port: int, tmp_path: Path) -> None:
    files = [report_file(), picture_file()]
    with storescp(free_port, tmp_path) as folder:
        _send(free_port, *files)
    sent = [pydicom.dcmread(BytesIO(file)) for file in files]
    assert all(pydicom.dcmread(path) in sent for path in folder.iterdir())
    assert len(list(folder.iterdir())) == 2


def test_a_peer_that_takes_only_implicit_vr_gets_the_same(free_port: int) -> None:
    files = [report_file(), picture_file()]
    with receiver(free_port, sop_classes=ALL, syntaxes=[ImplicitVRLittleEndian]) as got:
        _send(free_port, *files)
    for found, file in zip(got.datasets, files, strict=True):
        sent = pydicom.dcmread(BytesIO(file))
        assert {entry.tag: entry.value for entry in found} == {
            entry.tag: entry.value for entry in sent
        }
    assert got.encoded[0] != _data_set(files[0])


@pytest.mark.parametrize(
    ("made", "accepted", "expected"),
    [
        (THREE_D, (ENHANCED, COMPREHENSIVE, THREE_D), THREE_D),
        (THREE_D, (ENHANCED, COMPREHENSIVE), COMPREHENSIVE),
        (THREE_D, (ENHANCED,), ENHANCED),
        (COMPREHENSIVE, (ENHANCED, COMPREHENSIVE, THREE_D), COMPREHENSIVE),
        (COMPREHENSIVE, (ENHANCED, THREE_D), ENHANCED),
        (ENHANCED, (ENHANCED, COMPREHENSIVE, THREE_D), ENHANCED),
    ],
)
def test_the_richest_class_that_is_taken(
    free_port: int, made: str, accepted: Sequence[str], expected: str
) -> None:
    with receiver(free_port, sop_classes=[*accepted, SC]) as got:
        taken = _send(free_port, report_file(sop_class=made))
    assert [dataset.SOPClassUID for dataset in got.datasets] == [expected, SC]
    assert taken[0].sop_class_uid == expected


def test_a_plainer_report_is_the_same_each_time_and_said(
    free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    report = report_file()
    with receiver(free_port, sop_classes=[ENHANCED, SC]) as got:
        first, again = _send(free_port, report), _send(free_port, report)
    assert first[0] == again[0]
    assert got.uids()[0] == got.uids()[2] == first[0].sop_instance_uid
    assert first[0].sop_instance_uid != pydicom.dcmread(BytesIO(report)).SOPInstanceUID
    assert got.datasets[0].PatientName == "Müller^Jörg"
    assert "does not take Comprehensive 3D SR Storage: it gets Enhanced SR Storage" in caplog.text


@pytest.mark.parametrize(
    ("accepted", "said"),
    [
        (THREE_D, "does not take Secondary Capture Image Storage: it gets the report alone"),
        (SC, "SR Storage or Enhanced SR Storage: it gets the picture alone"),
    ],
)
def test_one_of_both_is_enough_and_said(
    free_port: int, caplog: pytest.LogCaptureFixture, accepted: str, said: str
) -> None:
    with receiver(free_port, sop_classes=[accepted]) as got:
        (taken,) = _send(free_port)
    assert taken == SOPReference(accepted, got.uids()[0])
    assert said in caplog.text


def test_a_peer_that_takes_neither_says_so(free_port: int) -> None:
    classes = (
        "Comprehensive 3D SR Storage, Comprehensive SR Storage, Enhanced SR Storage "
        "or Secondary Capture Image Storage"
    )
    with (
        receiver(free_port, sop_classes=[CTImageStorage]),
        pytest.raises(SendError, match=f"does not take {classes}"),
    ):
        _send(free_port)


def test_without_a_picture_the_report_goes_alone(
    free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with receiver(free_port, sop_classes=ALL) as got:
        send_report(peer_at(free_port), report_file(), calling_ae=OURS)
    assert [dataset.SOPClassUID for dataset in got.datasets] == [THREE_D]
    assert not caplog.records


def test_a_remark_on_the_picture_is_said(free_port: int, caplog: pytest.LogCaptureFixture) -> None:
    """PS3.4 B.2.3, B007H: stored, data set does not match SOP class."""
    with receiver(free_port, sop_classes=ALL) as got:
        got.answers[SC] = 0xB007
        assert len(_send(free_port)) == 2
    assert "C-STORE of the picture answered 0xB007" in caplog.text
    assert "C-STORE of the report" not in caplog.text


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({SC: 0xA700}, ["the picture answered 0xA700"]),
        ({THREE_D: 0xC000}, ["the report answered 0xC000"]),
        ({THREE_D: 0xA900, SC: 0x0122}, ["the report answered 0xA900", "the picture answered"]),
    ],
)
def test_a_refusal_says_of_what(
    free_port: int, answers: dict[str, int | None], said: list[str]
) -> None:
    """What comes after a refusal is offered all the same."""
    with receiver(free_port, sop_classes=ALL) as got:
        got.answers.update(answers)
        with pytest.raises(SendError, match=".*".join(map(re.escape, said))):
            _send(free_port)
    assert len(got.datasets) == 2


def _dies_at(got: Receiver, sop_class: str) -> None:
    got.answers[sop_class] = None


@pytest.mark.parametrize(("dies_at", "before"), [(THREE_D, 0), (SC, 1)])
def test_a_peer_that_dies_gets_the_same_again(free_port: int, dies_at: str, before: int) -> None:
    report, picture = report_file(), picture_file()
    with receiver(free_port, sop_classes=ALL) as got:
        _dies_at(got, dies_at)
        with pytest.raises(SendError, match="no answer to C-STORE of the"):
            _send(free_port, report, picture)
        assert len(got.datasets) == before
        got.answers.clear()
        taken = _send(free_port, report, picture)
    assert got.uids()[before:] == [entry.sop_instance_uid for entry in taken]
    assert len(set(got.uids())) == 2


def test_a_peer_that_says_nothing_is_left(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_node.scu.TIMEOUT_S", 0.3)
    with receiver(free_port, sop_classes=ALL) as got:
        got.may_answer.clear()
        try:
            with pytest.raises(SendError, match="no answer to C-STORE of the report"):
                _send(free_port)
        finally:
            got.may_answer.set()


def test_a_report_of_another_class_is_not_sent(free_port: int) -> None:
    with receiver(free_port), pytest.raises(SendError, match="SOP class that is not sent"):
        _send(free_port, report_file(sop_class=CTImageStorage))


@pytest.mark.parametrize(("with_picture", "expected"), [(False, 4), (True, 6)])
def test_each_syntax_is_proposed_in_a_context_of_its_own(with_picture: bool, expected: int) -> None:
    """PS3.8 9.3.2.2: the requestor proposes; within a context the acceptor would choose."""
    contexts = proposed_contexts(COMPREHENSIVE, with_picture=with_picture)
    assert len(contexts) == len(set(contexts)) == expected
    assert {entry.transfer_syntax for entry in contexts} == {
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
    }
    assert THREE_D not in {entry.sop_class for entry in contexts}


def _without(file: bytes, *keywords: str) -> bytes:
    dataset = pydicom.dcmread(BytesIO(file))
    for keyword in keywords:
        delattr(dataset, keyword)
    buffer = BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("report", "picture", "said"),
    [
        (b"junk", None, "the report cannot be read as it is kept: InvalidDicomError"),
        (None, b"junk", "the picture cannot be read as it is kept: InvalidDicomError"),
        (_without(report_file(), "SOPClassUID"), None, "the report as it is kept lacks its SOP"),
        (_without(report_file(), "SOPInstanceUID"), None, "the report as it is kept lacks its SOP"),
        (None, _without(picture_file(), "SOPInstanceUID"), "the picture as it is kept lacks"),
    ],
)
def test_what_cannot_be_read_is_a_reason(
    free_port: int, report: bytes | None, picture: bytes | None, said: str
) -> None:
    with receiver(free_port, sop_classes=ALL) as got, pytest.raises(SendError, match=said):
        _send(free_port, report, picture)
    assert not got.datasets


def _with_an_empty_predecessor(file: bytes) -> bytes:
    """It is looked at only where the report is turned into another class."""
    dataset = pydicom.dcmread(BytesIO(file))
    dataset.PredecessorDocumentsSequence = [pydicom.Dataset()]
    buffer = BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def test_a_report_that_cannot_be_turned_into_another_class_is_a_reason(free_port: int) -> None:
    report = _with_an_empty_predecessor(report_file())
    said = "the report cannot be turned into Enhanced SR Storage: AttributeError"
    with receiver(free_port, sop_classes=[ENHANCED]), pytest.raises(SendError, match=said):
        _send(free_port, report)


def test_what_cannot_be_encoded_is_a_reason(free_port: int) -> None:
    """Here it does not say how it is encoded, of which pynetdicom makes an AttributeError."""
    dataset, buffer = pydicom.dcmread(BytesIO(report_file())), BytesIO()
    del dataset.file_meta.TransferSyntaxUID
    dataset.save_as(buffer, implicit_vr=True, little_endian=True)
    with receiver(free_port), pytest.raises(SendError, match="the report failed: AttributeError"):
        send_report(peer_at(free_port), buffer.getvalue(), calling_ae=OURS)
