"""What is sent to peers with ``tls = true``: DCMTK's storescp takes it, or we say why not."""

import logging
import socket
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from dicom_node.report_sending import send_report
from dicom_node.scu import NoAnswerError, SendError, echo
from dicom_node.settings import DicomSettings
from dicom_node.store_sender import StoreSender
from tests.dicom_node.certificates import Certificates
from tests.dicom_node.receivers import OURS, STORESCP, peer_at, receiver, report_file, storescp
from tests.dicom_node.tls_doors import settings_with, storescp_over_tls

pytestmark = pytest.mark.skipif(
    not STORESCP.exists(), reason="left out: DCMTK's storescp is not installed"
)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "received"
    made.mkdir()
    return made


def test_dcmtk_gets_the_report_over_tls(
    free_port: int, folder: Path, certificates: Certificates
) -> None:
    peer, report = peer_at(free_port, tls=True), report_file()
    ours = settings_with(certificates.node, certificates.authority)
    with storescp_over_tls(free_port, folder, certificates.peer, certificates.authority):
        echo(peer, calling_ae=OURS, tls=ours)
        send_report(peer, report, calling_ae=OURS, tls=ours)
    (path,) = folder.iterdir()
    assert pydicom.dcmread(path) == pydicom.dcmread(BytesIO(report))


@pytest.mark.parametrize(
    ("own", "theirs", "said"),
    [
        ("node", "foreign", "its certificate is signed by no authority of tls.trusted"),
        ("node", "expired", "its certificate has expired"),
        ("node", "elsewhere", "its certificate does not name the address that was called"),
        ("foreign", "peer", "it does not take our certificate: it does not know who signed it"),
        ("expired", "peer", "it does not take our certificate: expired"),
    ],
)
def test_a_refusal_on_either_side_is_told_in_one_line(
    free_port: int,
    folder: Path,
    certificates: Certificates,
    caplog: pytest.LogCaptureFixture,
    own: str,
    theirs: str,
    said: str,
) -> None:
    peer = peer_at(free_port, tls=True)
    ours = settings_with(getattr(certificates, own), certificates.authority)
    its = getattr(certificates, theirs)
    with (
        storescp_over_tls(free_port, folder, its, certificates.authority),
        caplog.at_level(logging.ERROR),
        pytest.raises(SendError, match=f"pacs .*over TLS.*: {said}"),
    ):
        send_report(peer, report_file(), calling_ae=OURS, tls=ours)
    assert not list(folder.iterdir())
    assert not any(record.exc_info for record in caplog.records)


def test_a_peer_that_asks_for_our_certificate_says_so(
    free_port: int, folder: Path, certificates: Certificates
) -> None:
    nothing_to_show = settings_with(None, certificates.authority)
    with (
        storescp_over_tls(free_port, folder, certificates.peer, certificates.authority),
        pytest.raises(SendError, match=r"ask.* for a certificate.*tls\.certificate"),
    ):
        echo(peer_at(free_port, tls=True), calling_ae=OURS, tls=nothing_to_show)


def test_a_plain_port_never_gets_a_report_that_is_meant_for_tls(
    free_port: int, folder: Path, certificates: Certificates
) -> None:
    ours = settings_with(certificates.node, certificates.authority)
    with (
        storescp(free_port, folder),
        pytest.raises(SendError, match=r"it does not speak TLS|broke the connection off"),
    ):
        send_report(peer_at(free_port, tls=True), report_file(), calling_ae=OURS, tls=ours)
    assert not list(folder.iterdir())


def test_a_peer_that_lets_the_handshake_wait_does_not_answer(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicom_node.scu.CONNECT_S", 0.3)
    ours = settings_with(certificates.node, certificates.authority)
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        pytest.raises(NoAnswerError, match="did not complete the TLS handshake in time"),
    ):
        echo(peer_at(listening.getsockname()[1], tls=True), calling_ae=OURS, tls=ours)


def test_a_certificate_that_is_refused_is_an_answer(
    free_port: int, folder: Path, certificates: Certificates
) -> None:
    ours = settings_with(certificates.node, certificates.authority)
    with (
        storescp_over_tls(free_port, folder, certificates.expired, certificates.authority),
        pytest.raises(SendError) as caught,
    ):
        echo(peer_at(free_port, tls=True), calling_ae=OURS, tls=ours)
    assert not isinstance(caught.value, NoAnswerError)


def test_a_fault_of_our_files_is_told_with_the_peer(free_port: int) -> None:
    with receiver(free_port) as got, pytest.raises(SendError, match=r"pacs .*tls\.trusted is not"):
        send_report(peer_at(free_port, tls=True), report_file(), calling_ae=OURS)
    assert not got.callers


def test_the_store_sender_calls_the_tls_port(
    free_port: int, folder: Path, certificates: Certificates
) -> None:
    tls = settings_with(certificates.node, certificates.authority, port=free_port)
    sender = StoreSender(DicomSettings(ae_title="PACS"), calling_ae=OURS, tls=tls)
    with storescp_over_tls(free_port, folder, certificates.peer, certificates.authority):
        sender.echo()
