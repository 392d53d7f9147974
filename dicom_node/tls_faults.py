"""Why a TLS connection did not come about, in the words of a log line."""

import ssl

_EXPIRED = "its certificate has expired"
_UNKNOWN = "its certificate is signed by no authority of tls.trusted"
_NAMES = "set host to a name that it has, or have it issued anew"
_OF_CERTIFICATES = {  # by the codes of X509_verify_cert
    9: "its certificate is not valid yet; are the clocks right?",
    10: _EXPIRED,
    18: _UNKNOWN,
    19: _UNKNOWN,
    20: _UNKNOWN,
    21: _UNKNOWN,
    26: "its certificate is not meant for this use (extended key usage)",
    62: f"its certificate does not name the host that was called; {_NAMES}",
    64: f"its certificate does not name the address that was called; {_NAMES}",
    66: "its key is weaker than RSA of 2048 bits or an elliptic curve of 224",
    68: "its certificate is signed with a digest that is no longer safe",
}
_OLD = "it offers none of the TLS versions and cipher suites of BCP 195"
_NO_TLS = "it does not speak TLS; is it set to plain DICOM, or is the port not the TLS port?"
_ALERT = "it does not take our certificate"
_BY_REASON = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it shows no certificate",
    "NO_SHARED_CIPHER": _OLD,
    "NO_PROTOCOLS_AVAILABLE": _OLD,
    "UNSUPPORTED_PROTOCOL": _OLD,
    "VERSION_TOO_LOW": _OLD,
    "TLSV1_ALERT_PROTOCOL_VERSION": _OLD,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it breaks the TLS handshake off: it may ask for a "
    "certificate (tls.certificate), or know no cipher suite of BCP 195",
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "UNKNOWN_PROTOCOL": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it asks for a certificate; set tls.certificate",
    "TLSV1_ALERT_UNKNOWN_CA": f"{_ALERT}: it does not know who signed it",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": f"{_ALERT}: expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _ALERT,
    "SSLV3_ALERT_BAD_CERTIFICATE": _ALERT,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _ALERT,
    "TLSV1_ALERT_ACCESS_DENIED": _ALERT,
}


def handshake_fault(fault: OSError) -> str:
    """One clause on the other side ("it shows no certificate"), for a log line or an error.

    It fits both sides: ``fault`` is what ``do_handshake`` raised, on a connection that was taken
    or one that was opened, or the first ``recv`` after it.
    """
    if isinstance(fault, ssl.SSLCertVerificationError):
        return _OF_CERTIFICATES.get(
            fault.verify_code, f"its certificate is not valid: {fault.verify_message}"
        )
    if isinstance(fault, TimeoutError):
        return "it did not complete the TLS handshake in time"
    if isinstance(fault, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError)):
        return "it broke the connection off during the TLS handshake"
    if isinstance(fault, ssl.SSLError) and fault.reason:
        return _BY_REASON.get(fault.reason, f"the TLS handshake failed ({fault.reason})")
    return f"the TLS handshake failed ({fault.strerror or fault})"
