"""Authorities and the certificates that they sign, made by the ``openssl`` command in a moment."""

import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")
ON_THIS_MACHINE = "subjectAltName=IP:127.0.0.1,DNS:localhost"


@dataclass(frozen=True)
class Identity:
    """A certificate and its private key, PEM files."""

    certificate: Path
    key: Path


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


def authority(folder: Path, name: str) -> Identity:
    """A self-signed authority."""
    made = Identity(folder / f"{name}.pem", folder / f"{name}.key")
    _openssl(
        *("req", "-x509", *CURVE, "-days", "30", "-subj", f"/CN={name}"),
        *("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign"),
        *("-keyout", made.key, "-out", made.certificate),
    )
    return made


def signed(
    by: Identity,
    folder: Path,
    name: str,
    *,
    days: int = 30,
    extension: str = ON_THIS_MACHINE,
    key: tuple[str, ...] = CURVE,
) -> Identity:
    """A certificate signed ``by`` an authority; negative ``days`` make one that has expired."""
    made = Identity(folder / f"{name}.pem", folder / f"{name}.key")
    request = folder / f"{name}.csr"
    _openssl(
        *("req", *key, "-subj", f"/CN={name}", "-addext", extension),
        *("-keyout", made.key, "-out", request),
    )
    _openssl(
        *("x509", "-req", "-in", request, "-days", str(days), "-copy_extensions", "copy"),
        *("-CA", by.certificate, "-CAkey", by.key, "-out", made.certificate),
    )
    return made


class Certificates:
    """What the tests of TLS need, each made when it is first asked for, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def authority(self) -> Identity:
        """The one that everybody here trusts."""
        return authority(self.folder, "authority")

    @cached_property
    def node(self) -> Identity:
        """The node's own, for 127.0.0.1 and localhost."""
        return signed(self.authority, self.folder, "node")

    @cached_property
    def peer(self) -> Identity:
        """A peer's, for 127.0.0.1 and localhost."""
        return signed(self.authority, self.folder, "peer")

    @cached_property
    def expired(self) -> Identity:
        """A peer's, until yesterday."""
        return signed(self.authority, self.folder, "expired", days=-1)

    @cached_property
    def foreign(self) -> Identity:
        """A peer's, by an authority that nobody here trusts."""
        return signed(authority(self.folder, "foreign-authority"), self.folder, "foreign")

    @cached_property
    def elsewhere(self) -> Identity:
        """Of the trusted authority, but for another host."""
        return signed(
            self.authority, self.folder, "elsewhere", extension="subjectAltName=DNS:pacs.example"
        )

    @cached_property
    def too_weak(self) -> Identity:
        """With an RSA key of 1024 bits."""
        key = ("-newkey", "rsa:1024", "-noenc")
        return signed(self.authority, self.folder, "weak", key=key)

    def encrypted_key(self, path: Path, *cipher: str) -> Path:
        """The node's key behind a passphrase."""
        _openssl("pkey", "-in", self.node.key, *cipher, "-passout", "pass:secret", "-out", path)
        return path
