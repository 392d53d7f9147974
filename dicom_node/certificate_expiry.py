"""The end of a certificate's validity, which the standard library tells of peers' only."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

_END = "-----END CERTIFICATE-----"
_VERSION = 0xA0
_UTC_TIME = 0x17
_BEFORE_VALIDITY = 3
"""Serial number, signature algorithm, issuer."""


def expiry(path: Path) -> datetime | None:
    """notAfter of the first certificate of a PEM file, in UTC; None where it cannot be made out.

    RFC 5280 4.1: Certificate > TBSCertificate > Validity > notAfter, in DER (X.690 8.1).
    """
    text = path.read_text(encoding="latin-1")
    begins, ends = text.find("-----BEGIN CERTIFICATE-----"), text.find(_END)
    try:
        der = ssl.PEM_cert_to_DER_cert(text[begins : ends + len(_END)])
        return _not_after(der)
    except (ValueError, IndexError):
        return None


def _not_after(der: bytes) -> datetime:
    _, certificate, _ = _element(der)
    _, left, _ = _element(certificate)
    if left[0] == _VERSION:
        _, _, left = _element(left)
    for _ in range(_BEFORE_VALIDITY):
        _, _, left = _element(left)
    _, validity, _ = _element(left)
    _, _, left = _element(validity)
    kind, value, _ = _element(left)
    return _moment(kind, value.decode("ascii"))


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag and value of the first element, and what follows it."""
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    return tag, data[start : start + length], data[start + length :]


def _moment(kind: int, text: str) -> datetime:
    """RFC 5280 4.1.2.5.1: a UTCTime's two digits from 50 on are of the last century."""
    if kind == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
