"""The Storage SCP over real sockets: which status is answered, and what is kept by then."""

import re
import shutil
import socket
import subprocess
import zlib
from pathlib import Path

import pytest
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    MRImageStorage,
    RLELossless,
)
from pynetdicom.sop_class import Verification
from sqlalchemy import Engine

from dicom_node.child_process import StartError
from dicom_node.intake import Intake
from dicom_node.scp import PortTakenError, start_scp
from dicom_node.serve import proved_syntaxes
from dicom_node.settings import DicomSettings, Peer, Settings
from dicom_node.sop_classes import IMAGE_STORAGE, accepted_contexts
from dicom_node.spool import Spool
from encoders.self_test import SAMPLES, Sample
from storage import studies
from tests.dicom_node.doors import (
    CALLER,
    CR,
    Door,
    answers_echo,
    associate,
    association,
    open_door,
    send_half,
    status,
    store,
)
from tests.dicom_node.objects import INSTANCE, STUDY, encoded, radiograph, write_file, written
from tests.dicom_node.raw_peer import ASSOCIATE_RJ, Pdu, answer_to_request
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("send_bytes_as_they_are")

STORESCU = Path("/usr/bin/storescu")


def _data_of(path: Path) -> bytes:
    """The data set behind the File Meta Information: group length at 140 (PS3.10 7.1)."""
    content = path.read_bytes()
    return content[144 + int.from_bytes(content[140:144], "little") :]


def _reasons(door: Door) -> list[str]:
    return [reason for _, reason in door.spool.quarantined()]


NOT_RECOGNIZED = Pdu(ASSOCIATE_RJ, b"\0\x01\x01\x03")
"""Rejected-permanent by the service user, calling AE title not recognized (PS3.8 table 9-21)."""
LOCAL_LIMIT_EXCEEDED = Pdu(ASSOCIATE_RJ, b"\0\x02\x03\x02")
"""Rejected-transient by the presentation layer, local limit exceeded."""


def _state(engine: Engine, study: str = STUDY) -> str | None:
    with engine.connect() as connection:
        found = studies.state_of(connection, study)
    return None if found is None else found.state


def test_success_means_that_the_bytes_are_in_the_spool(door: Door, tmp_path: Path) -> None:
    data = encoded(radiograph())
    assert store(door, write_file(tmp_path / "a.dcm", data)) == 0x0000
    (name,) = door.names()
    assert _data_of(door.spool.path(name)) == data


@pytest.mark.skipif(not STORESCU.exists(), reason="left out: DCMTK's storescu is not installed")
def test_dcmtk_sends_and_is_recorded_as_the_caller(
    door: Door, engine: Engine, tmp_path: Path
) -> None:
    path = written(tmp_path / "a.dcm", radiograph())
    command = [
        str(STORESCU),
        "-aet",
        "DCMTK",
        "-aec",
        "LIKENESS",
        "127.0.0.1",
        str(door.port),
        str(path),
    ]
    subprocess.run(command, check=True, timeout=60)
    wait_until(lambda: _state(engine) is not None, "the study to be recorded")
    with engine.connect() as connection:
        found = studies.state_of(connection, STUDY)
    assert found is not None
    assert found.calling_ae == "DCMTK"


def test_every_advertised_sop_class_is_taken(door: Door, tmp_path: Path) -> None:
    with association(door, *IMAGE_STORAGE) as opened:
        for number, uid in enumerate(IMAGE_STORAGE):
            image = radiograph(f"{INSTANCE}.{number}", SOPClassUID=uid)
            path = written(tmp_path / f"{number}.dcm", image)
            assert status(opened.send_c_store(path)) == 0x0000, uid.name
    assert len(door.names()) == len(IMAGE_STORAGE)


def test_every_proved_transfer_syntax_is_negotiated(door: Door) -> None:
    for sample in SAMPLES:
        with association(door, *IMAGE_STORAGE, syntax=sample.transfer_syntax) as opened:
            assert len(opened.accepted_contexts) == len(IMAGE_STORAGE), sample


def test_a_transfer_syntax_that_was_not_proved_is_refused(
    free_port: int, intake: Intake, spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    """PS3.8 9.3.3.2: result 4, transfer syntaxes not supported."""
    caplog.set_level("INFO")
    explicit = SAMPLES[0]
    proved = proved_syntaxes([explicit, Sample(RLELossless, explicit.path)])
    assert "1 of 2 transfer syntaxes are decodable here" in caplog.text
    assert f"RLE Lossless ({RLELossless}) is not accepted: its sample is Explicit" in caplog.text
    settings = Settings(dicom=DicomSettings(port=free_port))
    server = start_scp(settings, accepted_contexts(proved), spool, intake.take)
    try:
        opened = associate(Door(free_port, spool, intake), CR, syntax=RLELossless)
        assert [context.result for context in opened.rejected_contexts] == [4]
        with association(Door(free_port, spool, intake), CR) as plain:
            assert len(plain.accepted_contexts) == 1
    finally:
        server.shutdown()


def test_a_node_that_decodes_nothing_does_not_start() -> None:
    with pytest.raises(StartError, match="no transfer syntax"):
        proved_syntaxes([Sample(RLELossless, SAMPLES[0].path)])


def test_a_deflated_data_set_is_understood(door: Door, tmp_path: Path) -> None:
    """PS3.5 A.5: the data set is a raw deflate stream, without the zlib header."""
    packer = zlib.compressobj(wbits=-15)
    data = packer.compress(encoded(radiograph())) + packer.flush()
    syntax = DeflatedExplicitVRLittleEndian
    path = write_file(tmp_path / "a.dcm", data, syntax=syntax)
    assert store(door, path, syntax=syntax) == 0x0000


@pytest.mark.parametrize(
    "meta", [{"sop_class": CTImageStorage}, {"instance": "1.2.3"}], ids=["class", "instance"]
)
def test_a_data_set_other_than_requested_is_refused(
    door: Door, tmp_path: Path, meta: dict[str, str]
) -> None:
    """PS3.4 B.2.3: 0xA900, Data Set does not match SOP Class."""
    path = write_file(tmp_path / "a.dcm", encoded(radiograph()), **meta)
    assert store(door, path, sop_class=meta.get("sop_class", CR)) == 0xA900
    assert (door.names(), _reasons(door)) == ([], [])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 100,
        encoded(radiograph(StudyInstanceUID=None)),
        encoded(radiograph())[:60],
        zlib.compress(encoded(radiograph())),
    ],
    ids=["empty", "noise", "no study UID", "cut short", "other syntax"],
)
def test_what_cannot_be_understood_is_quarantined(door: Door, tmp_path: Path, data: bytes) -> None:
    """PS3.4 B.2.3: 0xC000, Cannot understand; the bytes are kept, with the reason."""
    assert store(door, write_file(tmp_path / "a.dcm", data)) == 0xC000
    assert door.names() == []
    ((kept, reason),) = door.spool.quarantined()
    assert "data set" in reason
    assert _data_of(door.spool.quarantine_folder / kept) == data


@pytest.mark.parametrize("data", [encoded(radiograph()), b""], ids=["good", "bad"])
def test_a_spool_that_cannot_be_written_asks_to_try_again(
    door: Door, tmp_path: Path, data: bytes
) -> None:
    """PS3.4 B.2.3: 0xA700, Out of Resources; the node stays, and goes on when the disk does."""
    path = write_file(tmp_path / "a.dcm", data)
    shutil.rmtree(door.spool.folder)
    door.spool.folder.touch()
    assert store(door, path) == 0xA700
    assert answers_echo(door)
    door.spool.folder.unlink()
    door.spool.folder.mkdir()
    assert store(door, path) == (0x0000 if data else 0xC000)


@pytest.mark.parametrize("uid", ["../../evil", "/etc/passwd", "$(x)", "-rf", "%2e%2e"])
def test_a_hostile_uid_never_becomes_a_path(door: Door, tmp_path: Path, uid: str) -> None:
    path = write_file(tmp_path / "a.dcm", encoded(radiograph(uid)), instance=uid)
    before = set(tmp_path.rglob("*"))
    assert store(door, path) in {0x0000, 0xA900}
    wait_until(lambda: not door.names(), "the file to be quarantined, or refused at once")
    new = {entry.name for entry in set(tmp_path.rglob("*")) - before if entry.is_file()}
    assert all(re.fullmatch(r"\d{8}-\d{6}\.\d{6}-[0-9a-f]{8}\.(dcm|json)", name) for name in new)


def test_hostile_attributes_elsewhere_are_quarantined_later(door: Door, tmp_path: Path) -> None:
    path = written(tmp_path / "a.dcm", radiograph(StudyInstanceUID="../evil"))
    assert store(door, path) == 0x0000
    wait_until(lambda: _reasons(door), "the file to be quarantined")
    assert _reasons(door) == ["StudyInstanceUID is no UID (7 characters; PS3.5 9.1)"]


def test_only_listed_peers_are_let_in(
    free_port: int, intake: Intake, spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    listed = Peer(name="ct", ae_title=CALLER)
    with open_door(free_port, intake, spool, listed, listed_peers_only=True) as door:
        with association(door) as opened:
            assert opened.is_established
        assert answer_to_request(door.port, calling=b"STRANGER") == NOT_RECOGNIZED
        wait_until(lambda: "'STRANGER'" in caplog.text, "the refusal to be logged")


def test_too_many_associations_are_refused(free_port: int, intake: Intake, spool: Spool) -> None:
    with open_door(free_port, intake, spool, max_associations=1) as door, association(door):
        assert answer_to_request(door.port, calling=CALLER.encode()) == LOCAL_LIMIT_EXCEEDED


def test_a_taken_port_names_the_address(free_port: int, intake: Intake, spool: Spool) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port))
        other.listen()
        with pytest.raises(PortTakenError, match=f"127.0.0.1:{free_port}.*dicom.port"):
            start_scp(Settings(dicom=DicomSettings(port=free_port)), {}, spool, intake.take)


def test_an_address_of_another_machine_is_named(
    free_port: int, intake: Intake, spool: Spool
) -> None:
    dicom = DicomSettings(port=free_port, bind="192.0.2.1", listed_peers_only=True)
    settings = Settings(dicom=dicom, peers=(Peer(name="ct", ae_title=CALLER),))
    with pytest.raises(PortTakenError, match=f"192.0.2.1:{free_port}"):
        start_scp(settings, {}, spool, intake.take)


def test_a_class_that_we_do_not_take_gets_no_context(door: Door) -> None:
    with association(door, Verification, "1.2.840.10008.5.1.4.1.1.104.1") as opened:
        assert [context.abstract_syntax for context in opened.accepted_contexts] == [Verification]


def test_an_open_association_keeps_its_study_open(
    door: Door, engine: Engine, tmp_path: Path
) -> None:
    """A study that came later, on an association that ended, closes before it."""
    with association(door) as opened:
        assert status(opened.send_c_store(written(tmp_path / "a.dcm", radiograph()))) == 0x0000
        later = radiograph("1.2.9.1.1", study="1.2.9")
        assert store(door, written(tmp_path / "b.dcm", later)) == 0x0000
        wait_until(lambda: _state(engine, "1.2.9") == "queued", "the later study to close")
        assert _state(engine) == "open"
    wait_until(lambda: _state(engine) == "queued", "the study to close after the release")


@pytest.mark.parametrize("how", ["abort", "cut", "half"])
def test_an_association_that_breaks_off_frees_its_studies(
    door: Door, engine: Engine, tmp_path: Path, how: str
) -> None:
    opened = associate(door)
    assert status(opened.send_c_store(written(tmp_path / "a.dcm", radiograph()))) == 0x0000
    if how == "half":
        send_half(opened, encoded(radiograph(f"{INSTANCE}.2")), f"{INSTANCE}.2")
    if how == "cut":
        opened.dul.socket.socket.shutdown(socket.SHUT_RDWR)
    else:
        opened.abort()
    wait_until(lambda: _state(engine) == "queued", "the study to close")
    assert len(door.names()) == 1
    assert answers_echo(door)


class _FaultySpool(Spool):
    def keep(self, written: Path) -> str:
        raise ValueError(f"a fault of ours, with {written}")


def test_a_fault_of_our_own_is_answered_with_a_failure(
    free_port: int, intake: Intake, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """PS3.7 Annex C: 0x0110, processing failure."""
    spool = _FaultySpool(tmp_path)
    with open_door(free_port, intake, spool) as door:
        assert store(door, written(tmp_path / "a.dcm", radiograph())) == 0x0110
        assert answers_echo(door)
    assert f"C-STORE of '{INSTANCE}' from '{CALLER}' failed" in caplog.text
    assert list(spool.aside.iterdir()) == []


def test_series_of_several_modalities_share_an_association(door: Door, tmp_path: Path) -> None:
    classes = [DigitalXRayImageStorageForPresentation, CTImageStorage, MRImageStorage]
    with association(door, *classes, syntax=ExplicitVRLittleEndian) as opened:
        for number, uid in enumerate(classes):
            image = radiograph(f"{INSTANCE}.{number}", SOPClassUID=uid)
            assert status(opened.send_c_store(written(tmp_path / f"{number}.dcm", image))) == 0
