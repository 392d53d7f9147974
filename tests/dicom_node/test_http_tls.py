"""HTTPS: a real handshake, judged by OpenSSL, and files that cannot be used."""

import logging
import socket
import ssl
from collections.abc import Iterator
from http.client import HTTPSConnection
from pathlib import Path

import pytest
from starlette.applications import Starlette

from dicom_node.http import https
from dicom_node.http.app import make_app
from dicom_node.http.service import HttpService
from dicom_node.settings import HttpSettings
from dicom_node.tls import TlsError
from tests.dicom_node.certificates import Certificates, Identity
from tests.dicom_node.http_doors import METRICS, well
from tests.dicom_node.tls_doors import TlsDoor, s_client


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def app() -> Starlette:
    return make_app(
        alive=well,
        ready=well,
        scrape=lambda: METRICS,
        find_token=lambda _: None,
        loopback_without_token=True,
    )


def _with(port: int, own: Identity, **changes: object) -> HttpSettings:
    files = {"certificate": own.certificate, "key": own.key}
    return HttpSettings.model_validate({"port": port, **files, **changes})


@pytest.fixture
def port(app: Starlette, certificates: Certificates, free_port: int) -> Iterator[int]:
    """The port of a running HTTPS service."""
    with HttpService(_with(free_port, certificates.node), app):
        yield free_port


def _ask(port: int, certificates: Certificates) -> bytes:
    context = ssl.create_default_context(cafile=str(certificates.authority.certificate))
    connection = HTTPSConnection("localhost", port, timeout=10, context=context)
    connection.request("GET", "/metrics")
    body = connection.getresponse().read()
    connection.close()
    return body


def test_https_is_spoken_with_the_node_s_certificate(port: int, certificates: Certificates) -> None:
    assert _ask(port, certificates) == METRICS


@pytest.mark.parametrize(
    ("options", "is_taken"),
    [
        (("-tls1_3",), True),
        (("-tls1_2",), True),
        (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), False),
        (("-tls1_2", "-cipher", "AES128-GCM-SHA256"), False),
    ],
    ids=str,
)
def test_nothing_older_than_tls_1_2_is_spoken(
    port: int, options: tuple[str, ...], is_taken: bool
) -> None:
    done = s_client(TlsDoor(port), *options, own=None)
    assert (done.returncode == 0) == is_taken


def test_plain_http_and_silence_do_no_harm(port: int, certificates: Certificates) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as silent:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
            plain.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert not plain.recv(100).startswith(b"HTTP")
        assert _ask(port, certificates) == METRICS
        silent.close()


def test_a_caller_who_never_shakes_hands_is_cut_off(
    app: Starlette,
    certificates: Certificates,
    free_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(https, "HANDSHAKE_S", 0.2)
    with HttpService(_with(free_port, certificates.node), app):
        with socket.create_connection(("127.0.0.1", free_port), timeout=10) as silent:
            assert silent.recv(1) == b""
        assert _ask(free_port, certificates) == METRICS


def test_files_that_cannot_be_used_are_named_by_their_settings(
    app: Starlette, certificates: Certificates, free_port: int, tmp_path: Path
) -> None:
    missing = tmp_path / "tls.key"
    for changes, expected in (
        ({"key": missing}, f"http.key: {missing} cannot be read: No such file"),
        ({"key": certificates.peer.key}, "is not the key of http.certificate "),
        ({"certificate": certificates.node.key}, "holds no certificate in PEM"),
    ):
        settings = _with(free_port, certificates.node, **changes)
        with pytest.raises(TlsError) as raised, HttpService(settings, app):
            pass
        assert str(raised.value).startswith("http.")
        assert expected in str(raised.value)


@pytest.mark.parametrize("encrypted", [True, False])
def test_an_open_network_is_warned_of(
    app: Starlette,
    certificates: Certificates,
    free_port: int,
    encrypted: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = HttpSettings(port=free_port, bind="0.0.0.0")
    if encrypted:
        settings = _with(free_port, certificates.node, bind="0.0.0.0")
    with caplog.at_level(logging.WARNING), HttpService(settings, app):
        pass
    assert any("is not encrypted" in message for message in caplog.messages) != encrypted
