"""Debian's Orthanc on free ports and in a folder of its own, asked over its REST interface."""

import base64
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
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
PLUGINS = Path("/usr/share/orthanc/plugins")
ANSWER_S = 60.0


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; header names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc: AE title ORTHANC, plain SQLite storage, no plugins unless asked for.

    ``user`` is who asks, as "name:password", where it asks for passwords.
    """

    http_port: int
    dicom_port: int
    user: str = ""

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """The HTTP status and the body of the answer.

        Raises:
            OSError, HTTPException: it does not answer.
        """
        answer = self.exchange(method, path, body)
        return answer.status, answer.body

    def exchange(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The whole answer.

        Raises:
            OSError, HTTPException: it does not answer.
        """
        connection = HTTPConnection("127.0.0.1", self.http_port, timeout=ANSWER_S)
        try:
            connection.request(method, path, body, {**self._authorization(), **(headers or {})})
            answer = connection.getresponse()
            got = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, got, answer.read())
        finally:
            connection.close()

    def _authorization(self) -> dict[str, str]:
        if not self.user:
            return {}
        return {"Authorization": f"Basic {base64.b64encode(self.user.encode()).decode()}"}

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            return self.ask("GET", "/system")[0] == 200
        except (OSError, HTTPException):
            return False

    def get(self, path: str) -> Any:
        """What its REST interface answers, as JSON."""
        status, said = self.ask("GET", path)
        assert status == 200, said
        return json.loads(said)

    def add_modality(self, name: str, **entry: Any) -> None:
        """What ``DicomModalities`` of its configuration says: AET, Host, Port, UseDicomTls, …"""
        status, said = self.ask("PUT", f"/modalities/{name}", json.dumps(entry).encode())
        assert status == 200, said

    def upload(self, path: Path) -> str:
        """Orthanc's own identifier of the instance."""
        return self.upload_bytes(path.read_bytes())

    def upload_bytes(self, content: bytes) -> str:
        """Orthanc's own identifier of the instance."""
        status, said = self.ask("POST", "/instances", content)
        assert status == 200, said
        return str(json.loads(said)["ID"])


@dataclass
class Installed:
    """An Orthanc with its folder, which may be stopped and started again."""

    orthanc: Orthanc
    folder: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def log(self) -> str:
        """What it has said, over all its runs."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [program(), str(self.folder / "orthanc.json")],
                stdout=log,
                stderr=log,
                env={**os.environ, "TCP_NODELAY": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            )
        wait_until(self._is_up, "Orthanc to answer", 60)

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        return self.orthanc.answers()

    def stop(self) -> int:
        """SIGTERM, and the exit status; it takes some three seconds."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(60)

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def program() -> str:
    """The path of Orthanc; the test is left out where it is missing."""
    if not PROGRAM.exists():
        pytest.skip(f"left out: {PROGRAM} is not installed (package orthanc)")
    return str(PROGRAM)


def library(name: str, package: str) -> str:
    """The path of a plug-in of Orthanc's; the test is left out where it is missing."""
    path = PLUGINS / name
    if not path.exists():
        pytest.skip(f"left out: {path} is not installed (package {package})")
    return str(path)


def configuration(
    folder: Path, orthanc: Orthanc, own: Identity | None, trusted: Path | None
) -> dict[str, Any]:
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
    return settings


@contextmanager
def orthanc_in(
    folder: Path, *, own: Identity | None = None, trusted: Path | None = None
) -> Iterator[Orthanc]:
    """An Orthanc that answers; it is stopped when the block ends."""
    with installed_in(folder, own=own, trusted=trusted) as installed:
        installed.start()
        yield installed.orthanc


@contextmanager
def installed_in(
    folder: Path,
    *,
    own: Identity | None = None,
    trusted: Path | None = None,
    user: str = "",
    more: Mapping[str, Any] | None = None,
) -> Iterator[Installed]:
    """An Orthanc that was not started yet; it is stopped when the block ends.

    Args:
        folder: for its configuration, its storage and its log.
        own: its certificate for TLS.
        trusted: the certificates that it trusts.
        user: who asks, as "name:password"; it asks for passwords then.
        more: further entries of its configuration.
    """
    folder.mkdir(parents=True, exist_ok=True)
    orthanc = Orthanc(find_free_port(), find_free_port(), user)
    settings = configuration(folder, orthanc, own, trusted)
    if user:
        name, _, password = user.partition(":")
        settings |= {"AuthenticationEnabled": True, "RegisteredUsers": {name: password}}
    (folder / "orthanc.json").write_text(json.dumps({**settings, **(more or {})}))
    installed = Installed(orthanc, folder)
    try:
        yield installed
    finally:
        installed.kill()  # nothing of it is kept, and its own way of stopping takes three seconds
