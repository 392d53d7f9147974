"""The TLS profile, judged by OpenSSL's client, and what is said of files and callers at fault."""

import logging
import re
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dicom_node.certificate_expiry import expiry
from dicom_node.settings import TlsSettings
from dicom_node.tls import TlsError, client_context, server_context
from tests.dicom_node.certificates import Certificates, Identity, signed
from tests.dicom_node.tls_doors import s_client, settings_with, tls_door

RSA = ("-newkey", "rsa:2048", "-noenc")
ANY_OLD = ("-cipher", "ALL:@SECLEVEL=0")
A_ASSOCIATE_RQ = bytes.fromhex("0100 0000 00ce 0001 0000") + b"LIKENESS        " * 13


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def rsa_node(certificates: Certificates) -> Identity:
    return signed(certificates.authority, certificates.folder, "rsa-node", key=RSA)


@pytest.fixture
def served(certificates: Certificates) -> ssl.SSLContext:
    return server_context(settings_with(certificates.node, certificates.authority))


@pytest.mark.parametrize(
    "suite",
    [
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES256-GCM-SHA384",
    ],
)
def test_each_recommended_suite_is_taken(
    certificates: Certificates, rsa_node: Identity, suite: str
) -> None:
    """RFC 9325 4.2, TLS 1.2."""
    own = rsa_node if "-RSA-" in suite else certificates.node
    with tls_door(server_context(settings_with(own, certificates.authority))) as door:
        done = s_client(door, "-tls1_2", "-cipher", suite, own=certificates.peer)
    assert done.returncode == 0
    assert f"Cipher is {suite}" in done.stdout


@pytest.mark.parametrize(
    "options",
    [
        ("-tls1", *ANY_OLD),
        ("-tls1_1", *ANY_OLD),
        ("-tls1_2", "-cipher", "AES128-GCM-SHA256"),
        ("-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256"),
        ("-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA:@SECLEVEL=0"),
        ("-tls1_2", "-cipher", "aNULL:eNULL:@SECLEVEL=0"),
    ],
    ids=" ".join,
)
def test_nothing_weaker_is_taken(
    certificates: Certificates, rsa_node: Identity, options: tuple[str, ...]
) -> None:
    """RFC 8996 (TLS 1.0, 1.1); RFC 9325 4.1 (NULL), 4.2 (no forward secrecy, no AEAD)."""
    with tls_door(server_context(settings_with(rsa_node, certificates.authority))) as door:
        done = s_client(door, *options, own=certificates.peer)
    assert done.returncode != 0
    assert door.fault == "it offers none of the TLS versions and cipher suites of BCP 195"


def test_tls_1_3_is_preferred_and_hands_out_no_tickets(
    certificates: Certificates, served: ssl.SSLContext
) -> None:
    with tls_door(served) as door:
        done = s_client(door, own=certificates.peer)
    assert "New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384" in done.stdout
    assert "New Session Ticket" not in done.stdout


def test_tls_1_2_has_no_compression_tickets_or_renegotiation(
    certificates: Certificates, served: ssl.SSLContext
) -> None:
    """RFC 9325 3.3 (compression), 3.4 (resumption), 3.5 (renegotiation)."""
    with tls_door(served) as door:
        done = s_client(door, "-tls1_2", own=certificates.peer, says="R\n")
    assert "Compression: NONE" in done.stdout
    assert "TLS session ticket" not in done.stdout
    assert "no renegotiation" in done.stderr


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("nobody", "it shows no certificate"),
        ("foreign", "its certificate is signed by no authority of tls.trusted"),
        ("expired", "its certificate has expired"),
    ],
)
def test_a_caller_who_is_not_let_in_is_told_apart(
    certificates: Certificates, served: ssl.SSLContext, version: str, who: str, said: str
) -> None:
    own = None if who == "nobody" else getattr(certificates, who)
    with tls_door(served) as door:
        s_client(door, version, own=own)
    assert door.fault == said


@pytest.mark.parametrize("words", [A_ASSOCIATE_RQ, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_whoever_speaks_no_tls_is_told_apart(served: ssl.SSLContext, words: bytes) -> None:
    with tls_door(served) as door, socket.create_connection(("127.0.0.1", door.port)) as caller:
        caller.sendall(words)
    assert door.fault is not None
    assert door.fault.startswith("it does not speak TLS; is it set to plain DICOM")


def test_a_probe_that_only_connects_is_told_apart(served: ssl.SSLContext) -> None:
    with tls_door(served) as door, socket.create_connection(("127.0.0.1", door.port)):
        pass
    assert door.fault == "it broke the connection off during the TLS handshake"


def test_without_client_certificates_anybody_may_call(certificates: Certificates) -> None:
    context = server_context(settings_with(certificates.node, None, client_certificates=False))
    with tls_door(context) as door:
        assert s_client(door, own=None).returncode == 0
    assert door.fault is None


@pytest.mark.parametrize(
    ("who", "host", "said"),
    [
        ("foreign", "127.0.0.1", "signed by no authority of tls.trusted"),
        ("expired", "127.0.0.1", "has expired"),
        ("elsewhere", "127.0.0.1", "does not name the address that was called"),
        ("elsewhere", "localhost", "does not name the host that was called"),
    ],
)
def test_we_send_nothing_to_a_peer_that_may_be_another(
    certificates: Certificates, who: str, host: str, said: str
) -> None:
    served = server_context(settings_with(getattr(certificates, who), certificates.authority))
    context = client_context(settings_with(certificates.peer, certificates.authority))
    with (
        tls_door(served) as door,
        socket.create_connection(("127.0.0.1", door.port)) as connection,
        pytest.raises(ConnectionError, match=said),
    ):
        context.wrap_socket(connection, server_hostname=host)
    assert context.fault is not None
    assert said in context.fault
    assert door.fault is not None
    assert door.fault.startswith("it does not take our certificate")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_peer_is_called_by_address_or_name(
    certificates: Certificates, served: ssl.SSLContext, host: str
) -> None:
    context = client_context(settings_with(certificates.peer, certificates.authority))
    with (
        tls_door(served, b"greeting") as door,
        socket.create_connection(("127.0.0.1", door.port)) as connection,
        context.wrap_socket(connection, server_hostname=host) as secured,
    ):
        assert secured.recv(100) == b"greeting"


def _changed(settings: TlsSettings, setting: str, path: Path | None) -> TlsSettings:
    return settings.model_copy(update={setting: path})


@pytest.mark.parametrize("setting", ["certificate", "key", "trusted"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        (None, "tls.{} is not set; name the PEM file"),
        ("missing.pem", "tls.{}: .* cannot be read: No such file or directory; correct the path"),
        ("notes.pem", "tls.{}: .* holds no (certificate|private key) in PEM"),
    ],
)
def test_a_file_that_is_missing_or_no_pem_is_named(
    certificates: Certificates, tmp_path: Path, setting: str, name: str | None, said: str
) -> None:
    (tmp_path / "notes.pem").write_bytes(b"\x30\x82 not PEM \xff")
    settings = settings_with(certificates.node, certificates.authority)
    path = None if name is None else tmp_path / name
    with pytest.raises(TlsError, match=said.format(setting)) as raised:
        server_context(_changed(settings, setting, path))
    assert "\n" not in str(raised.value)


def test_a_key_of_another_certificate_is_named(certificates: Certificates) -> None:
    settings = settings_with(certificates.node, certificates.authority)
    with pytest.raises(TlsError, match=r"is not the key of tls\.certificate"):
        server_context(_changed(settings, "key", certificates.peer.key))


@pytest.mark.parametrize("cipher", [("-aes256",), ("-traditional", "-aes256")])
def test_an_encrypted_key_is_refused_and_nobody_is_asked(
    certificates: Certificates, tmp_path: Path, cipher: tuple[str, ...]
) -> None:
    """Both forms: PKCS #8 and the older one with Proc-Type (RFC 1421)."""
    encrypted = certificates.encrypted_key(tmp_path / "encrypted.key", *cipher)
    settings = settings_with(certificates.node, certificates.authority)
    with pytest.raises(TlsError, match=re.escape("encrypted.key is encrypted")):
        server_context(_changed(settings, "key", encrypted))


@pytest.mark.parametrize("setting", ["certificate", "key", "trusted"])
def test_a_damaged_pem_is_named(certificates: Certificates, tmp_path: Path, setting: str) -> None:
    settings = settings_with(certificates.node, certificates.authority)
    lines = getattr(settings, setting).read_text().splitlines(keepends=True)
    damaged = tmp_path / "damaged.pem"
    damaged.write_text("".join((lines[0], lines[1][::-1], *lines[2:])))
    with pytest.raises(TlsError, match=f"tls.{setting}.*damaged.pem"):
        server_context(_changed(settings, setting, damaged))


def test_a_weak_key_is_refused(certificates: Certificates) -> None:
    """RFC 9325 4.5: RSA keys have at least 2048 bits."""
    with pytest.raises(TlsError, match="is too weak"):
        server_context(settings_with(certificates.too_weak, certificates.authority))


def test_our_own_expired_certificate_is_told_and_used(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        server_context(settings_with(certificates.expired, certificates.authority))
    (line,) = caplog.messages
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    assert line.startswith(f"tls.certificate: {certificates.expired.certificate} has expired on")
    assert str(yesterday) in line


@pytest.mark.parametrize(
    ("days", "kind"), [(1000, "UTCTime"), (40_000, "GeneralizedTime, after 2049")]
)
def test_expiry_is_what_openssl_set(certificates: Certificates, days: int, kind: str) -> None:
    """RFC 5280 4.1.2.5."""
    made = signed(certificates.authority, certificates.folder, f"for-{days}", days=days)
    found = expiry(made.certificate)
    assert found is not None
    assert abs(found - datetime.now(UTC) - timedelta(days=days)) < timedelta(minutes=5)


def test_a_client_needs_to_know_whom_to_trust(certificates: Certificates) -> None:
    with pytest.raises(TlsError, match=r"tls\.trusted is not set"):
        client_context(settings_with(certificates.peer, None))
