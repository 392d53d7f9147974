"""A small HTTP server that plays the node, well and badly."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Asked:
    """A request that came; header names in small letters."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class PlayedNode:
    """What it was asked, and how it answers next.

    ``play`` gets the request's handler and does as it likes.
    """

    port: int
    play: Callable[["Handler"], None]
    asked: list[Asked] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


class Handler(BaseHTTPRequestHandler):
    """A request; ``reply`` answers it well."""

    protocol_version = "HTTP/1.1"
    node: PlayedNode

    def reply(self, status: int = 200, body: bytes = b"{}", **headers: str) -> None:
        """Answers; an underscore in a header's name stands for a dash."""
        self.send_response(status)
        for name, value in ({"Content_Type": "application/json"} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.node.asked.append(Asked(self.command, self.path, headers, body))
        self.close_connection = True
        with contextlib.suppress(ConnectionError):  # the plug-in has had enough
            self.node.play(self)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def well(handler: Handler) -> None:
    """Answers 200."""
    handler.reply()


def replying(status: int = 200, body: bytes = b"{}", **headers: str) -> Callable[[Handler], None]:
    """Answers the same to all."""
    return lambda handler: handler.reply(status, body, **headers)


def never(handler: Handler) -> None:
    """Takes the request and says nothing."""
    handler.node.over.wait()


def dripping(handler: Handler) -> None:
    """Sends a byte of the headers now and then, without end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not handler.node.over.wait(0.05):
        handler.wfile.write(b"a")
        handler.wfile.flush()


def breaking_off(handler: Handler) -> None:
    """Promises more than it sends."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


def talking_nonsense(handler: Handler) -> None:
    """Sends what is no HTTP."""
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


def without_end(handler: Handler) -> None:
    """Sends more than anyone wants, as fast as it is taken."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n")
    while not handler.node.over.is_set():
        handler.wfile.write(b"\0" * 1_000_000)


@contextmanager
def played_node(port: int, play: Callable[[Handler], None] = well) -> Iterator[PlayedNode]:
    """A node on a port of loopback; it ends with the block."""
    node = PlayedNode(port, play)
    handler = type("HandlerOfOne", (Handler,), {"node": node})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield node
    finally:
        node.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
