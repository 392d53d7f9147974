"""DICOM over TLS by the "BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile".

PS3.15 B.12. TLS 1.2 is spoken with the cipher suites that RFC 9325 4.2 recommends, and TLS 1.3,
which is preferred. Nothing older, no compression, no renegotiation. No session is resumed either:
an association lasts long beside its handshake, and a ticket would let a peer in after its
certificate has expired.
"""

import logging
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dicom_node.certificate_expiry import expiry
from dicom_node.settings import TlsSettings
from dicom_node.tls_faults import handshake_fault

log = logging.getLogger(__name__)

SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
)
"""For TLS 1.2, by RFC 9325 4.2; the suites of TLS 1.3 are all fit, and OpenSSL's to choose."""
# OpenSSL's level 2: RSA from 2048 bits, elliptic curves from 224, no SHA-1 (RFC 9325 4.5)
_CIPHERS = ":".join((*SUITES, "@SECLEVEL=2"))
_OPTIONS = ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET


class TlsError(Exception):
    """The files of [tls] cannot be used; the message names the setting and the remedy."""


class CallingContext(ssl.SSLContext):
    """For an SCU: ``fault`` says in words why the last connection failed, None if it did not."""

    fault: str | None = None


class _CallingSocket(ssl.SSLSocket):
    """Raises a plain ``ConnectionError`` in words; pynetdicom logs tracebacks of ``SSLError``."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError as fault:
            raise self._remembered(fault) from fault

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        # in TLS 1.3 the peer judges our certificate after our side of the handshake is done
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLError, ConnectionError) as fault:
            self._remembered(fault)
            return b""  # the connection is closed, and pynetdicom takes it as that

    def shutdown(self, how: int) -> None:
        # pynetdicom closes only what it could shut down; the rest waits for the garbage collector
        with suppress(OSError):
            super().shutdown(how)

    def _remembered(self, fault: OSError) -> ConnectionError:
        context: Any = self.context
        context.fault = handshake_fault(fault)
        return ConnectionError(context.fault)


def server_context(tls: TlsSettings, section: str = "tls") -> ssl.SSLContext:
    """What a receiver wraps its connections in; peers must show a certificate if so set.

    ``section`` is the one of the settings that the files stand in, for what is said of them.

    An expired certificate of ours is logged and used: whether that matters is for the callers to
    judge, who check it, and to refuse to start would shut the doors that do work as well.

    Raises:
        TlsError: a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _set_profile(context)
    _load_own(context, tls, section)
    if tls.client_certificates:
        _load_trusted(context, tls)
        context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = 0
    _warn_if_expired(tls, section)
    return context


def client_context(tls: TlsSettings) -> CallingContext:
    """What an association that we request is wrapped in.

    The peer's certificate must be signed by an authority of ``tls.trusted`` and name the host that
    is called: else whoever holds a certificate of that authority could pass for the peer, and be
    sent reports. Ours is shown where there is one.

    Raises:
        TlsError: a file cannot be used, or ``tls.trusted`` is not set.
    """
    context = CallingContext(ssl.PROTOCOL_TLS_CLIENT)
    _set_profile(context)
    context.sslsocket_class = _CallingSocket
    _load_trusted(context, tls)
    if tls.certificate is not None:
        _load_own(context, tls, "tls")
    return context


def _set_profile(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= _OPTIONS


def _load_own(context: ssl.SSLContext, tls: TlsSettings, section: str) -> None:
    certificate = _pem(f"{section}.certificate", tls.certificate, "-----BEGIN CERTIFICATE-----")
    key = _pem(f"{section}.key", tls.key, "PRIVATE KEY-----")
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as fault:
        raise TlsError(_why_not_loaded(fault, section, certificate, key)) from fault


def _load_trusted(context: ssl.SSLContext, tls: TlsSettings) -> None:
    trusted = _pem("tls.trusted", tls.trusted, "-----BEGIN CERTIFICATE-----")
    try:
        context.load_verify_locations(trusted)
    except ssl.SSLError as fault:
        raise TlsError(
            f"tls.trusted: {trusted} holds a certificate that cannot be read "
            f"({fault.reason}); make the file anew from the authority's PEM certificates"
        ) from fault


def _pem(setting: str, path: Path | None, mark: str) -> Path:
    """The path, if a PEM file with ``mark`` is there; OpenSSL's own words name no file."""
    if path is None:
        raise TlsError(f"{setting} is not set; name the PEM file")
    try:
        text = path.read_text(encoding="latin-1")
    except OSError as fault:
        raise TlsError(
            f"{setting}: {path} cannot be read: {fault.strerror}; "
            "correct the path, or let the node's user read it"
        ) from fault
    if mark not in text:
        what = "private key" if "PRIVATE" in mark else "certificate"
        raise TlsError(f"{setting}: {path} holds no {what} in PEM (`openssl` converts it)")
    if "PRIVATE" in mark and "ENCRYPTED" in text:
        raise TlsError(
            f"{setting}: {path} is encrypted, and a node that starts by itself can ask nobody for "
            "the passphrase; store the key without (`openssl pkey`), readable by the node only"
        )
    return path


def _no_password() -> str:
    """Keeps OpenSSL from asking at the terminal."""
    return ""


def _why_not_loaded(fault: ssl.SSLError, section: str, certificate: Path, key: Path) -> str:
    if fault.reason == "KEY_VALUES_MISMATCH":
        return (
            f"{section}.key: {key} is not the key of {section}.certificate {certificate}; "
            "name its own"
        )
    if fault.reason in {"EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"}:
        return (
            f"{section}.certificate: {certificate} is too weak ({fault.reason}); have it issued "
            "anew, with an RSA key of 2048 bits or an elliptic curve of 256, and SHA-256"
        )
    return (
        f"{section}.certificate and {section}.key: {certificate} and {key} cannot be used "
        f"({fault.reason}); "
        "look at them with `openssl x509 -text` and `openssl pkey -check`"
    )


def _warn_if_expired(tls: TlsSettings, section: str) -> None:
    assert tls.certificate is not None  # it has just been loaded
    ends = expiry(tls.certificate)
    if ends is not None and ends <= datetime.now(UTC):
        log.warning(
            "%s.certificate: %s has expired on %s; who checks it will not call. "
            "Have it renewed, then start the node again",
            section,
            tls.certificate,
            ends.date(),
        )
