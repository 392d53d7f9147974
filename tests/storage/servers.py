"""PostgreSQL servers for tests to kill, and a line to one that can be cut at a chosen moment."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sqlalchemy.engine import make_url

from storage.embedded import EmbeddedServer
from tests.waiting import wait_until


@contextmanager
def own_server(folder: Path) -> Iterator[EmbeddedServer]:
    """A server that no other test uses; running or not, nothing of it is left at the end."""
    server = EmbeddedServer(folder)
    try:
        yield server
    finally:
        server.revive_if_dead()  # or nobody would tell what is left of a dead one to end
        server.close()


def postmaster_pid(folder: Path) -> int:
    """The number in postmaster.pid."""
    return int((folder / "postmaster.pid").read_text().splitlines()[0])


def kill_server(folder: Path) -> None:
    """SIGKILL to the postmaster: its children end by themselves, as after an OOM kill."""
    os.kill(postmaster_pid(folder), signal.SIGKILL)


def revive(server: EmbeddedServer) -> None:
    """Calls ``revive_if_dead`` as a node's main loop does, until it did."""
    wait_until(server.revive_if_dead, "the server to be revived", 30)


class Line:
    """A TCP port of 127.0.0.1 behind which a server's Unix socket lies.

    ``silent`` keeps back all that the server says. ``cut_after`` ends the first connection whose
    messages hold these bytes one after the other, as soon as the server has answered the last:
    it did what was asked, and we never learn so.
    """

    def __init__(self, server_url: str) -> None:
        self._url = make_url(server_url)
        self._target = f"{self._url.query['host']}/.s.PGSQL.5432"
        self._door = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.silent = threading.Event()
        self.cut_after: tuple[bytes, ...] = ()
        self.cuts = 0

    @property
    def url(self) -> str:
        """The same database, by this line."""
        port = self._door.getsockname()[1]
        return self._url.set(host="127.0.0.1", port=port, query={}).render_as_string(False)

    def serve(self) -> None:
        """Takes connections until closed."""
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                server = socket.socket(socket.AF_UNIX)
                with self._lock:
                    self._ends += [client, server]
                try:
                    server.connect(self._target)
                except OSError:
                    client.close()
                    continue
                self._start(self._forward, client, server)

    def _start(self, *target_and_arguments: object) -> None:
        target, *arguments = target_and_arguments
        thread = threading.Thread(target=target, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        marked, seen = threading.Event(), 0
        self._start(self._answer, client, server, marked)
        with suppress(OSError):
            while data := client.recv(1 << 16):
                seen += seen < len(self.cut_after) and self.cut_after[seen] in data
                if self.cut_after and seen == len(self.cut_after):
                    self.cut_after = ()
                    marked.set()
                server.sendall(data)
        _end(server)

    def _answer(
        self, client: socket.socket, server: socket.socket, marked: threading.Event
    ) -> None:
        with suppress(OSError):
            while (data := server.recv(1 << 16)) and not marked.is_set():
                if not self.silent.is_set():
                    client.sendall(data)
        self.cuts += marked.is_set()
        _end(client)
        _end(server)

    def close(self) -> None:
        """Ends all connections and threads."""
        _end(self._door)
        self._door.close()
        with self._lock:
            for end in self._ends:
                _end(end)
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            end.close()


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@contextmanager
def line_to(server_url: str) -> Iterator[Line]:
    """A line to a server's database, up for the block."""
    with ExitStack() as stack:
        line = Line(server_url)
        acceptor = threading.Thread(target=line.serve)
        acceptor.start()
        stack.callback(acceptor.join)
        stack.callback(line.close)
        yield line
