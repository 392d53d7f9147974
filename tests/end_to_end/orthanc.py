"""Debian's Orthanc on free ports and in a folder of its own, asked over its REST interface."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import find_free_port
from tests.dicom_node.certificates import Identity
from tests.waiting import wait_until

PROGRAM = Path("/usr/sbin/Orthanc")
ANSWER_S = 60.0


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc: AE title ORTHANC, plain SQLite storage, no plugins."""

    http_port: int
    dicom_port: int

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """The HTTP status and the body of the answer.

        Raises:
            OSError, HTTPException: it does not answer.
        """
        connection = HTTPConnection("127.0.0.1", self.http_port, timeout=ANSWER_S)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            return self.ask("GET", "/system")[0] == 200
        except (OSError, HTTPException):
            return False

    def add_modality(self, name: str, **entry: Any) -> None:
        """What ``DicomModalities`` of its configuration says: AET, Host, Port, UseDicomTls, …"""
        status, said = self.ask("PUT", f"/modalities/{name}", json.dumps(entry).encode())
        assert status == 200, said

    def upload(self, path: Path) -> str:
        """Orthanc's own identifier of the instance."""
        status, said = self.ask("POST", "/instances", path.read_bytes())
        assert status == 200, said
        return str(json.loads(said)["ID"])


def program() -> str:
    """The path of Orthanc; the test is left out where it is missing."""
    if not PROGRAM.exists():
        pytest.skip(f"left out: {PROGRAM} is not installed (package orthanc)")
    return str(PROGRAM)


def configuration(
    folder: Path, orthanc: Orthanc, own: Identity | None, trusted: Path | None
) -> str:
    """Whoever may send; with ``own`` and ``trusted``, certificates for calling over TLS."""
    settings: dict[str, Any] = {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "StorageCompression": False,
        "Plugins": [],
        "HttpPort": orthanc.http_port,
        "DicomPort": orthanc.dicom_port,
        "DicomAet": "ORTHANC",
        "DicomAlwaysAllowStore": True,
        "RemoteAccessAllowed": False,
        "OverwriteInstances": False,
    }
    if own is not None:
        settings |= {
            "DicomTlsCertificate": str(own.certificate),
            "DicomTlsPrivateKey": str(own.key),
            "DicomTlsTrustedCertificates": str(trusted),
        }
    return json.dumps(settings)


@contextmanager
def orthanc_in(
    folder: Path, *, own: Identity | None = None, trusted: Path | None = None
) -> Iterator[Orthanc]:
    """An Orthanc that answers; it is stopped when the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    orthanc = Orthanc(find_free_port(), find_free_port())
    settings = folder / "orthanc.json"
    settings.write_text(configuration(folder, orthanc, own, trusted))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [program(), str(settings)],
            stdout=log,
            stderr=log,
            env={**os.environ, "TCP_NODELAY": "1"},
        )

    def is_up() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        return orthanc.answers()

    try:
        wait_until(is_up, "Orthanc to answer", 60)
        yield orthanc
    finally:
        process.kill()  # nothing of it is kept, and its own way of stopping takes three seconds
        process.wait()
