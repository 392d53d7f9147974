"""Orthanc's REST interface played by servers that redirect, lie, break off or are none."""

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dicom_node.part10 import data_set_start
from dicom_node.retrieving.opening import open_retriever
from dicom_node.retrieving.retriever import (
    RetrieveError,
    Retriever,
    RetrieverAwayError,
    WantedInstance,
)
from dicom_node.settings import DicomSettings, EncoderSettings, Settings, TlsSettings
from dicom_node.settings_file import SettingsError, load_settings
from dicom_node.tls import server_context
from tests.dicom_node.certificates import Certificates
from tests.dicom_node.filesystems import small_tmpfs
from tests.dicom_node.objects import INSTANCE, SERIES, STUDY, encoded, radiograph, write_file
from tests.dicom_node.raw_peer import CR
from tests.dicom_node.tls_doors import settings_with

WANTED = WantedInstance(STUDY, SERIES, CR, INSTANCE)
DATA = encoded(radiograph())
ID = "01234567-89abcdef-01234567-89abcdef-01234567"
FOUND = json.dumps([{"ID": "other", "Type": "Study"}, {"ID": ID, "Type": "Instance"}]).encode()

Reply = bytes | None
"""What is sent for a request; None closes the connection instead."""


class Last(bytes):
    """What is sent before the connection is closed."""


def reply(body: bytes, status: str = "200 OK", *, length: int | None = None) -> bytes:
    """An HTTP answer, which may lie about its length."""
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n\r\n".encode() + body


def chunked(body: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """RFC 9112 7.1: in two chunks, and an end that may be missing."""
    half = len(body) // 2
    chunks = b"".join(
        f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in (body[:half], body[half:])
    )
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + end


class Played:
    """A server on ``port`` that was asked ``requests`` over so many ``connections``."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.requests: list[str] = []
        self.heads: list[bytes] = []
        self.connections = 0


@contextmanager
def played(*replies: Reply, tls: TlsSettings | None = None) -> Iterator[Played]:
    """Replies in turn, the last one for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Played(listening.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(listening, server, list(replies), tls))
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(
    listening: socket.socket, server: Played, replies: list[Reply], tls: TlsSettings | None
) -> None:
    context = None if tls is None else server_context(tls)
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        try:
            with context.wrap_socket(connection, server_side=True) if context else connection as c:
                server.connections += 1
                _converse(c, server, replies)
        except OSError:
            continue


def _converse(connection: socket.socket, server: Played, replies: list[Reply]) -> None:
    while head := _request(connection):
        server.heads.append(head)
        server.requests.append(head.split(b" HTTP")[0].decode())
        answer = replies.pop(0) if len(replies) > 1 else replies[0]
        if answer is None:
            return
        connection.sendall(answer)
        if isinstance(answer, Last):
            return


def _request(connection: socket.socket) -> bytes:
    """The head and body of the next request; empty at the end."""
    said = b""
    while b"\r\n\r\n" not in said:
        if not (more := connection.recv(4096)):
            return b""
        said += more
    length = re.search(rb"Content-Length: (\d+)", said)
    missing = int(length[1]) - len(said.split(b"\r\n\r\n", 1)[1]) if length else 0
    while missing > 0:
        more = connection.recv(missing)
        said, missing = said + more, missing - len(more)
    return said


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The wanted instance, as Orthanc would give it."""
    return write_file(tmp_path_factory.mktemp("file") / "file.dcm", DATA).read_bytes()


CUT = Last(reply(b"x" * 100, length=5_000))
"""Half a body, and then the end."""


@contextmanager
def retrieving(url: str, **changes: Any) -> Iterator[Retriever]:
    """A retriever for the server at a URL."""
    encoder = EncoderSettings(fetch_from="orthanc", orthanc_url=url)
    with open_retriever(Settings(encoder=encoder, **changes)) as retriever:
        yield retriever


def _fault(into: Path, url: str, **changes: Any) -> str:
    """Why fetching failed, "away" before it where that is worth trying later; no file is left."""
    with retrieving(url, **changes) as retriever, pytest.raises(RetrieveError) as caught:
        retriever.fetch(WANTED, into)
    assert not list(into.iterdir())
    assert "secret" not in str(caught.value)
    away = "away: " if isinstance(caught.value, RetrieverAwayError) else ""
    return away + re.sub(r"^Orthanc at https?://[\w.:/]+: ", "", str(caught.value))


def test_two_requests_for_an_image_over_one_connection(file: bytes, tmp_path: Path) -> None:
    with played(reply(FOUND), reply(file), reply(FOUND), reply(file)) as server:
        url = f"http://me:s%C3%A9cret%3A@127.0.0.1:{server.port}/orthanc/"
        with retrieving(url) as retriever:
            paths = [retriever.fetch(WANTED, tmp_path) for _ in range(2)]
    assert (
        server.requests == ["POST /orthanc/tools/lookup", f"GET /orthanc/instances/{ID}/file"] * 2
    )
    assert server.heads[0].endswith(b"\r\n\r\n" + INSTANCE.encode())
    # RFC 7617: "me:sécret:" in UTF-8, by the base64 command
    assert all(b"Authorization: Basic bWU6c8OpY3JldDo=\r\n" in head for head in server.heads)
    assert server.connections == 1
    assert all(path.read_bytes() == file for path in paths)


def test_an_answer_in_chunks(file: bytes, tmp_path: Path) -> None:
    with (
        played(chunked(FOUND), chunked(file)) as server,
        retrieving(f"http://127.0.0.1:{server.port}") as retriever,
    ):
        path = retriever.fetch(WANTED, tmp_path)
    assert path.read_bytes()[data_set_start(path) :] == DATA


@pytest.mark.parametrize(
    ("replies", "told"),
    [
        ([reply(b"[]")], "does not have it"),
        ([reply(b'[{"ID": "x", "Type": "Study"}]')], "does not have it"),
        ([reply(b'[{"ID": "../x", "Type": "Instance"}]')], "names it by no identifier of Orthanc"),
        ([reply(b"<html>")], "away: does not answer as Orthanc does; check encoder.orthanc_url"),
        ([reply(b'{"ID": 1}')], "away: does not answer as Orthanc does"),
        ([reply(b"[" * 100_000)], "away: does not answer as Orthanc does"),
        ([reply(b"[1]")], "away: does not answer as Orthanc does"),
        ([reply(b"", "404 Not Found")], "away: does not have it, or is no Orthanc (HTTP status"),
        ([reply(b"", "401 Unauthorized")], "away: does not let us in"),
        ([reply(b"", "403 Forbidden")], "away: does not let us in"),
        ([reply(b"", "302 Found\r\nLocation: http://127.0.0.1/")], "away: sends us elsewhere"),
        ([reply(b"", "500 Internal Server Error")], "away: does not give it (HTTP status 500)"),
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], "away: does not speak HTTP"),
        ([None], "away: it broke the connection off (RemoteDisconnected)"),
        ([CUT], "away: its answer ended after 100 of 5000 bytes"),
        ([reply(b"x" * (1 << 20) + b"y")], "sends more than"),
        ([reply(FOUND), reply(b"", "404 Not Found")], "does not have it, or is no Orthanc"),
        ([reply(FOUND), reply(b"", "500 Error")], "does not give it (HTTP status 500)"),
        ([reply(FOUND), reply(b"", "503 Busy")], "away: does not give it (HTTP status 503)"),
        ([reply(FOUND), reply(b"", "307 Over There")], "away: sends us elsewhere"),
        ([reply(FOUND), CUT], "its answer ended after 100 of 5000 bytes"),
        ([reply(FOUND), Last(chunked(b"x" * 99, end=b""))], "it broke the connection off (Incomp"),
        ([reply(FOUND), Last(b"HTTP/1.0 200 OK\r\n\r\nx")], "its answer does not say how long"),
        ([reply(FOUND), reply(b"<html>")], "what it gave is not readable as DICOM"),
        ([reply(FOUND), reply(b"x" * 9_000)], "sends more than dicom.max_instance_mb"),
    ],
)
def test_why_nothing_came(replies: list[Reply], told: str, tmp_path: Path) -> None:
    """What is said to be found, where an image does not come, is a fault of that image alone."""
    with played(*replies) as server:
        url = f"http://me:secret@127.0.0.1:{server.port}"
        limit = DicomSettings(max_instance_mb=0.008)
        assert _fault(tmp_path, url, dicom=limit).startswith(told)


@pytest.mark.parametrize("broken", [None, CUT])
def test_a_connection_that_was_forgotten_is_opened_again(
    broken: Reply, file: bytes, tmp_path: Path
) -> None:
    """Between two images, and in the middle of one."""
    replies = [reply(FOUND), reply(file), None, reply(FOUND), broken, reply(file)]
    with (
        played(*replies) as server,
        retrieving(f"http://127.0.0.1:{server.port}") as retriever,
    ):
        for _ in range(2):
            assert retriever.fetch(WANTED, tmp_path).read_bytes() == file
    assert server.connections == 3
    assert len(list(tmp_path.iterdir())) == 2


def test_another_instance_is_not_taken(tmp_path: Path) -> None:
    other = write_file(tmp_path / "other", encoded(radiograph("1.2.3"))).read_bytes()
    (tmp_path / "into").mkdir()
    with played(reply(FOUND), reply(other)) as server:
        told = _fault(tmp_path / "into", f"http://127.0.0.1:{server.port}")
    assert told.startswith("gave another instance than it was asked for: 1.2.3")


def test_a_server_that_is_down_is_away(free_port: int, tmp_path: Path) -> None:
    told = _fault(tmp_path, f"http://me:secret@127.0.0.1:{free_port}")
    assert re.match(r"away: does not answer \(.*refused\); is it running", told)


def test_a_silent_server_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_node.retrieving.http_exchange.TIMEOUT_S", 0.2)
    with played(reply(FOUND), reply(b"x" * 100, length=10_000)) as server:
        told = _fault(tmp_path, f"http://127.0.0.1:{server.port}")
    assert told == "away: said nothing for 0.2 s"


def test_a_full_disk_is_no_fault_of_the_instance(file: bytes, tmp_path: Path) -> None:
    with small_tmpfs(tmp_path) as disk, played(reply(FOUND), reply(file)) as server:
        disk.leave_free(4096)
        into = disk.folder / "into"
        into.mkdir()
        told = _fault(into, f"http://127.0.0.1:{server.port}")
    assert re.match("away: .* cannot be written: No space left", told)


def test_over_https_the_certificate_counts(file: bytes, tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    (into := tmp_path / "into").mkdir()
    theirs = settings_with(certificates.peer, None, client_certificates=False)
    with played(reply(FOUND), reply(file), tls=theirs) as server:
        url = f"https://127.0.0.1:{server.port}"
        with retrieving(url, tls=settings_with(None, certificates.authority)) as retriever:
            retriever.fetch(WANTED, into).unlink()
        for trusted in (certificates.foreign, None):  # None: what this machine trusts
            told = _fault(into, url, tls=settings_with(None, trusted))
            assert told.startswith("away: its certificate is signed by no authority")
        told = _fault(into, url.replace("https", "http"))
        assert told.startswith("away: it broke the connection off")


@pytest.mark.parametrize(
    "url",
    ["orthanc.example:8042", "ftp://orthanc", "http://", "http://me:secret@:80", "http://a:port"],
)
def test_an_address_that_is_none_is_told_without_its_password(url: str, tmp_path: Path) -> None:
    path = tmp_path / "likeness.toml"
    path.write_text(f'[encoder]\nfetch_from = "orthanc"\northanc_url = "{url}"\n')
    with pytest.raises(SettingsError, match=r"encoder\.orthanc_url: .*no address such as") as told:
        load_settings(path, {})
    assert "secret" not in str(told.value)


def test_settings_without_anybody_to_ask(tmp_path: Path) -> None:
    with pytest.raises(RetrieveError, match=r"encoder\.fetch_from names nobody"):
        open_retriever(Settings(data_folder=tmp_path)).__enter__()
