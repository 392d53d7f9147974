"""Four independent clients, with and without TLS: all are heard, and none that should not be."""

import re
from collections.abc import Iterator
from itertools import count, product
from pathlib import Path

import pydicom
import pytest

from evaluation.synthetic import make_study
from tests.conftest import find_free_port
from tests.dicom_node.certificates import Certificates
from tests.dicom_node.tls_doors import storescp_over_tls
from tests.end_to_end.outside_clients import CLIENTS, Call
from tests.end_to_end.running import Node, dcmtk, node_in, reports_in
from tests.waiting import wait_until

DOORS = ("plain", "TLS")
ELSEWHERE = "ELSEWHERE"
REPORTED = "REPORTED"
SAID_OF = {
    "nobody": "it shows no certificate",
    "foreign": "its certificate is signed by no authority of tls.trusted",
    "expired": "its certificate has expired",
}
CERTIFICATES_REFUSED = [
    (client, whose)
    for client, whose in product(CLIENTS, SAID_OF)
    if (client, whose) != ("ORTHANC", "nobody")  # it does not call over TLS without one
]
_indices = count(3000)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def _peers(viewer_port: int) -> str:
    listed = dict.fromkeys(CLIENTS, "127.0.0.0/8") | {ELSEWHERE: "192.0.2.0/24"}
    return (
        "".join(
            f'[[peers]]\nname = "{title}"\nae_title = "{title}"\naddresses = ["{network}"]\n'
            for title, network in listed.items()
        )
        + f'[[peers]]\nname = "reported"\nae_title = "{REPORTED}"\nreports_to = "tls viewer"\n'
        + '[[peers]]\nname = "tls viewer"\nae_title = "PACS"\nhost = "127.0.0.1"\n'
        + f"port = {viewer_port}\ntls = true\n"
    )


@pytest.fixture(scope="module")
def tls_viewer_port() -> int:
    return find_free_port()


@pytest.fixture(scope="module")
def tls_port() -> int:
    return find_free_port()


@pytest.fixture(scope="module")
def node(
    tmp_path_factory: pytest.TempPathFactory,
    certificates: Certificates,
    tls_port: int,
    tls_viewer_port: int,
) -> Iterator[Node]:
    """A node that lets in listed peers only, from their addresses, at both doors."""
    own, trusted = certificates.node, certificates.authority.certificate
    tls = (
        f'tls = {{port = {tls_port}, certificate = "{own.certificate}", key = "{own.key}", '
        f'trusted = "{trusted}"}}\n'
    )
    with node_in(tmp_path_factory.mktemp("node"), extra=tls + _peers(tls_viewer_port)) as node:
        text = node.settings.read_text()
        node.settings.write_text(text.replace("[dicom]\n", "[dicom]\nlisted_peers_only = true\n"))
        node.start()
        yield node


@pytest.fixture
def calls(node: Node, certificates: Certificates, tls_port: int) -> dict[str, Call]:
    """A call that should succeed, at each door."""
    trusted = certificates.authority.certificate
    return {
        "plain": Call(node.port, ""),
        "TLS": Call(tls_port, "", trusted=trusted, own=certificates.peer),
    }


def _radiograph(folder: Path) -> tuple[str, Path]:
    made = make_study(next(_indices), modality="DX")
    path = folder / "radiograph.dcm"
    made.datasets[0].save_as(path, enforce_file_format=True)
    return made.study_instance_uid, path


def _warnings(log: str) -> list[str]:
    return [line for line in log.splitlines() if re.search(r" (WARNING|ERROR|CRITICAL) ", line)]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("client", CLIENTS)
def test_what_each_client_sends_is_searchable(
    node: Node, calls: dict[str, Call], tmp_path: Path, client: str, door: str
) -> None:
    uid, path = _radiograph(tmp_path)
    call = _as(client, calls[door])
    said = len(node.log)
    assert CLIENTS[client](call, tmp_path, path)
    wait_until(lambda: node.is_searchable(uid), "the study to be searchable")
    assert not _warnings(node.log[said:])


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("client", CLIENTS)
def test_each_client_is_answered_its_echo(
    node: Node, calls: dict[str, Call], tmp_path: Path, client: str, door: str
) -> None:
    assert CLIENTS[client](_as(client, calls[door]), tmp_path, None)


def _as(calling: str, call: Call, **changes: object) -> Call:
    return Call(**{**vars(call), "calling": calling, **changes})


def _assert_refused(
    node: Node, client: str, call: Call, folder: Path, said_why: str, calls: dict[str, Call]
) -> None:
    """The client sees a failure, the node says why in one line, and goes on answering."""
    _, path = _radiograph(folder)
    said = len(node.log)
    assert not CLIENTS[client](call, folder, path)
    wait_until(lambda: _warnings(node.log[said:]), "a line in the log", 10)
    assert CLIENTS["DCMTK"](_as("DCMTK", calls["plain"]), folder, None)
    (line,) = _warnings(node.log[said:])
    assert said_why in line
    assert "127.0.0.1" in line


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("client", CLIENTS)
def test_an_unlisted_ae_title_is_refused(
    node: Node, calls: dict[str, Call], tmp_path: Path, client: str, door: str
) -> None:
    _assert_refused(node, client, _as("STRANGER", calls[door]), tmp_path, "'STRANGER'", calls)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_listed_ae_title_from_another_address_is_refused(
    node: Node, calls: dict[str, Call], tmp_path: Path, client: str
) -> None:
    call = _as(ELSEWHERE, calls["plain"])
    _assert_refused(node, client, call, tmp_path, "address", calls)


@pytest.mark.parametrize("client", CLIENTS)
def test_whoever_calls_another_ae_title_is_refused(
    node: Node, calls: dict[str, Call], tmp_path: Path, client: str
) -> None:
    call = _as(client, calls["plain"], called="ARCHIVE")
    _assert_refused(node, client, call, tmp_path, "'ARCHIVE'", calls)


@pytest.mark.parametrize(("client", "whose"), CERTIFICATES_REFUSED)
def test_a_certificate_that_is_missing_foreign_or_expired_is_refused(
    node: Node,
    certificates: Certificates,
    calls: dict[str, Call],
    tmp_path: Path,
    client: str,
    whose: str,
) -> None:
    own = None if whose == "nobody" else getattr(certificates, whose)
    call = _as(client, calls["TLS"], own=own)
    _assert_refused(node, client, call, tmp_path, SAID_OF[whose], calls)


@pytest.mark.parametrize(
    ("door", "said_why"), [("plain", "it speaks TLS"), ("TLS", "it does not speak TLS")]
)
def test_the_wrong_door_is_told_apart(
    node: Node, calls: dict[str, Call], tmp_path: Path, door: str, said_why: str
) -> None:
    """Plain DICOM on the TLS port, and TLS on the plain one."""
    other = calls["TLS" if door == "plain" else "plain"]
    call = _as("DCMTK", other, port=calls[door].port)
    _assert_refused(node, "DCMTK", call, tmp_path, said_why, calls)


def test_a_report_goes_to_its_peer_over_tls(
    node: Node,
    certificates: Certificates,
    calls: dict[str, Call],
    tmp_path: Path,
    tls_viewer_port: int,
) -> None:
    dcmtk("storescp")
    answers = tmp_path / "answers"
    answers.mkdir()
    uid, path = _radiograph(tmp_path)
    own, trusted = certificates.peer, certificates.authority
    with storescp_over_tls(tls_viewer_port, answers, own, trusted):
        assert node.likeness("echo", "tls viewer").returncode == 0
        assert CLIENTS["DCMTK"](_as(REPORTED, calls["plain"]), tmp_path, path)
        wait_until(lambda: reports_in(answers), "the report to arrive")
    (report,) = reports_in(answers)
    assert pydicom.dcmread(report).StudyInstanceUID == uid
