"""A model hub in this process: enough of its protocol for its own library to fetch files.

As the real one it answers for a file with a redirect to where the bytes are, on another host, and
with the commit, the size and the SHA-256 in headers of the redirect itself.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

REPOSITORY, FILE = "made/weights", "model.safetensors"


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    method: str
    host: str
    path: str
    headers: dict[str, str]


@dataclass
class Hub:
    """What the hub has and how it behaves; tests set what they need.

    Attributes:
        url: of the hub.
        repository: the one that it has.
        commits: by revision.
        content: of the one file, by commit.
        token: that requests must show; empty for none.
        refuses: status and X-Error-Code of every answer of the hub, or None.
        cut_after: the next body ends after so many bytes, and the hub is out of order from then on.
        ranges: whether parts of a body can be asked for.
        altered: whether bodies are not what their SHA-256 says.
        told: headers in place of the true ones; None leaves one out.
        seen: requests, in their order.
    """

    url: str = ""
    repository: str = REPOSITORY
    commits: dict[str, str] = field(default_factory=dict)
    content: dict[str, bytes] = field(default_factory=dict)
    token: str = ""
    refuses: tuple[int, str] | None = None
    cut_after: int | None = None
    ranges: bool = True
    altered: bool = False
    told: dict[str, str | None] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def publish(self, content: bytes, revision: str = "main") -> str:
        """The commit that the revision stands for from now on."""
        commit = hashlib.sha1(content).hexdigest()
        self.commits |= {revision: commit, commit: commit}
        self.content[commit] = content
        return commit


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Nobody reads it."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        host = headers["host"].split(":")[0]
        self.hub.seen.append(Seen(self.command, host, self.path, headers))
        parts = urlsplit(self.path).path.strip("/").split("/")
        if parts[0] == "bytes":
            return self._send_bytes(self.hub.content[parts[1]], headers.get("range"))
        refusal = self.hub.refuses or self._refusal(parts, headers)
        if refusal:
            return self._tell(refusal[0], {"X-Error-Code": refusal[1]} if refusal[1] else {})
        return self._redirect(self.hub.commits[unquote(parts[3])])

    def _refusal(self, parts: list[str], headers: dict[str, str]) -> tuple[int, str] | None:
        if self.hub.token and headers.get("authorization") != f"Bearer {self.hub.token}":
            return (403 if "authorization" in headers else 401), "GatedRepo"
        if "/".join(parts[:2]) != self.hub.repository:
            return 401, "RepoNotFound"
        if unquote(parts[3]) not in self.hub.commits:
            return 404, "RevisionNotFound"
        return None if parts[4:] == [FILE] else (404, "EntryNotFound")

    def _redirect(self, commit: str) -> None:
        content = self.hub.content[commit]
        port = urlsplit(self.hub.url).port
        headers: dict[str, str | None] = {
            "Location": f"http://localhost:{port}/bytes/{commit}",
            "X-Repo-Commit": commit,
            "X-Linked-Size": str(len(content)),
            "X-Linked-Etag": f'"{hashlib.sha256(content).hexdigest()}"',
            **self.hub.told,
        }
        self._tell(302, {name: value for name, value in headers.items() if value is not None})

    def _send_bytes(self, content: bytes, asked_range: str | None) -> None:
        start = 0
        if asked_range and self.hub.ranges:
            start = int(asked_range.removeprefix("bytes=").split("-")[0])
        body = content[start:]
        headers = {"Content-Length": str(len(body))}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._tell(206 if start else 200, headers)
        if self.hub.altered:
            body = body[:-1] + bytes([body[-1] ^ 1])
        if self.hub.cut_after is not None:
            body, self.hub.cut_after, self.hub.refuses = body[: self.hub.cut_after], None, (503, "")
        self.wfile.write(body)

    def _tell(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


@contextmanager
def running(hub: Hub) -> Iterator[Hub]:
    """The hub answers on a port of its own while the block lasts."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
