"""Listening for connections: a thread for each, bounded in number and in patience."""

import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)

BACKLOG = 128
LOOK_S = 0.5


@dataclass
class Connection:
    """One connection while it lasts.

    Attributes:
        socket: plain; whoever serves it may wrap it in TLS.
        address: the other end's, without its port.
        deadline: monotonic time at which it is cut off, unless this is None by then.
        overdue: whether it was.
    """

    socket: socket.socket
    address: str
    deadline: float | None
    overdue: bool = False

    def cut(self) -> None:
        """Ends it under whoever reads from it."""
        try:
            # not SSLSocket's own, which would leave the reading thread with a plain socket
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)
        except OSError:  # it has ended by itself
            return


class Listener:
    """Accepts connections in a thread of its own until it is shut down.

    Args:
        address: host and port to listen on.
        serve: serves a connection to its end, in a thread of the connection's own.
        most: connections at once; further ones are closed unheard.
        patience_s: after so long a connection is cut off, unless ``serve`` lifts its deadline.

    Raises:
        OSError: the address is taken or not ours.
    """

    def __init__(
        self,
        address: tuple[str, int],
        serve: Callable[[Connection], None],
        *,
        most: int,
        patience_s: float,
    ) -> None:
        self._socket = _listening(address)
        self._socket.settimeout(LOOK_S)
        self._serve = serve
        self._most = most
        self._patience_s = patience_s
        self._open: dict[threading.Thread, Connection] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="listener")
        self._thread.start()

    def shutdown(self) -> None:
        """Stops listening, ends all connections and waits for their threads."""
        self._stopped.set()
        self._thread.join()
        self._socket.close()
        with self._lock:
            running = dict(self._open)
        for connection in running.values():
            connection.cut()
        for thread in running:
            thread.join()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            # first of all: where no descriptors are left, this frees some
            self._cut_overdue()
            try:
                accepted, (address, *_) = self._socket.accept()
                self._start(accepted, address)
            except TimeoutError:
                continue
            except (OSError, RuntimeError) as fault:  # no descriptors or threads left
                log.warning("a connection could not be accepted: %s", fault)
                self._stopped.wait(LOOK_S)

    def _cut_overdue(self) -> None:
        now = time.monotonic()
        with self._lock:
            waiting = [entry for entry in self._open.values() if entry.deadline is not None]
        for connection in waiting:
            if connection.deadline is not None and connection.deadline < now:
                connection.overdue = True
                connection.cut()

    def _start(self, accepted: socket.socket, address: str) -> None:
        if len(self._open) >= self._most:
            log.warning("connection from %s closed: %d are open", address, self._most)
            accepted.close()
            return
        # without this, each small response waits 40 ms for a delayed ACK
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # a peer that lost its power never says so
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection = Connection(accepted, address, time.monotonic() + self._patience_s)
        thread = threading.Thread(
            target=self._run, args=(connection,), name=f"from {address}", daemon=True
        )
        with self._lock:
            self._open[thread] = connection
        try:
            thread.start()
        except RuntimeError:
            with self._lock:
                del self._open[thread]
            accepted.close()
            raise

    def _run(self, connection: Connection) -> None:
        try:
            self._serve(connection)
        finally:
            connection.socket.close()
            with self._lock:
                del self._open[threading.current_thread()]


def _listening(address: tuple[str, int]) -> socket.socket:
    """All addresses of IPv6 take those of IPv4 along, where the system can."""
    is_v6 = ":" in address[0]
    return socket.create_server(
        address,
        family=socket.AF_INET6 if is_v6 else socket.AF_INET,
        dualstack_ipv6=address[0] == "::" and socket.has_dualstack_ipv6(),
        backlog=BACKLOG,
    )
