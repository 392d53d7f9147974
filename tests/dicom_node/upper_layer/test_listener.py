"""The listener: how many connections it takes, how long it waits, and how it ends."""

import os
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from dicom_node.upper_layer.listener import Connection, Listener
from tests.waiting import wait_until

WAIT_S = 20.0
LONG_S = 300.0


def _echo(connection: Connection) -> None:
    """Sends back what comes, until nothing does."""
    with suppress(OSError):
        while data := connection.socket.recv(100):
            connection.socket.sendall(data)


@contextmanager
def listening(
    port: int,
    serve: Callable[[Connection], None] = _echo,
    *,
    host: str = "127.0.0.1",
    most: int = 100,
    patience_s: float = LONG_S,
) -> Iterator[Listener]:
    listener = Listener((host, port), serve, most=most, patience_s=patience_s)
    try:
        yield listener
    finally:
        listener.shutdown()


def _connected(port: int, host: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection((host, port), WAIT_S)


def _answers(port: int, host: str = "127.0.0.1") -> bool:
    with _connected(port, host) as peer:
        peer.sendall(b"hello")
        return peer.recv(100) == b"hello"


def _has_ended(peer: socket.socket) -> bool:
    try:
        return peer.recv(100) == b""
    except ConnectionResetError:
        return True


def test_connections_are_served_side_by_side(free_port: int) -> None:
    with listening(free_port), _connected(free_port), _connected(free_port):
        assert _answers(free_port)


def test_a_further_connection_is_closed_unheard(
    free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with listening(free_port, most=1):
        with _connected(free_port) as first:
            first.sendall(b"x")
            assert first.recv(1) == b"x"
            with _connected(free_port) as second:
                assert _has_ended(second)
        wait_until(lambda: "1 are open" in caplog.text, "a line in the log")


def test_there_is_room_again_once_a_connection_ended(free_port: int) -> None:
    def answers() -> bool:
        try:
            return _answers(free_port)
        except ConnectionError:
            return False

    with listening(free_port, most=1):
        for _ in range(5):
            wait_until(answers, "room for a connection")


def test_a_silent_connection_is_cut_off(free_port: int) -> None:
    overdue = []

    def note(connection: Connection) -> None:
        _echo(connection)
        overdue.append(connection.overdue)

    with listening(free_port, note, patience_s=0.1), _connected(free_port) as peer:
        assert _has_ended(peer)
        wait_until(lambda: overdue == [True], "the connection to be known as overdue")


def test_one_that_lifted_its_deadline_stays(free_port: int) -> None:
    def patient(connection: Connection) -> None:
        connection.deadline = None
        _echo(connection)

    with listening(free_port, patient, patience_s=0.1), _connected(free_port) as peer:
        with _connected(free_port) as later:
            later.settimeout(0.8)  # longer than the listener takes to look
            with pytest.raises(TimeoutError):
                later.recv(1)
        peer.sendall(b"still here")
        assert peer.recv(100) == b"still here"


def test_shutdown_ends_open_connections_and_their_threads(free_port: int) -> None:
    with _connected_to_one(free_port) as (peer, thread):
        assert _has_ended(peer)
    thread.join(0)
    assert not thread.is_alive()


@contextmanager
def _connected_to_one(port: int) -> Iterator[tuple[socket.socket, threading.Thread]]:
    """A connection, and the thread that served it, after the listener has been shut down."""
    threads: list[threading.Thread] = []

    def note(connection: Connection) -> None:
        threads.append(threading.current_thread())
        _echo(connection)

    with ExitStack() as stack:
        with listening(port, note):
            peer = stack.enter_context(_connected(port))
            wait_until(lambda: threads, "the connection to be served")
        yield peer, threads[0]


def test_a_fault_while_serving_ends_that_connection_alone(
    free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", told.append)

    def faulty(connection: Connection) -> None:
        if connection.socket.recv(100) == b"fault":
            raise ValueError
        connection.socket.sendall(b"hello")

    with listening(free_port, faulty):
        with _connected(free_port) as peer:
            peer.sendall(b"fault")
            assert _has_ended(peer)
        assert _answers(free_port)
    assert [entry.exc_type for entry in told] == [ValueError]


@pytest.mark.parametrize(
    ("host", "callers"), [("::1", ["::1"]), ("::", ["::1", "127.0.0.1"])], ids=["one", "any"]
)
def test_ipv6(free_port: int, host: str, callers: list[str]) -> None:
    if not _has_ipv6():
        pytest.skip("left out: this machine has no IPv6")
    with listening(free_port, host=host):
        assert all(_answers(free_port, caller) for caller in callers)


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_a_taken_port_is_an_os_error(free_port: int) -> None:
    with listening(free_port), pytest.raises(OSError, match="in use"):
        Listener(("127.0.0.1", free_port), _echo, most=1, patience_s=1)


def test_the_port_is_free_at_once_after_a_shutdown(free_port: int) -> None:
    for _ in range(3):
        with listening(free_port):
            assert _answers(free_port)


@contextmanager
def few_descriptors(left: int) -> Iterator[None]:
    """So many descriptors are left to this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 20, hard))
    taken = []
    with suppress(OSError):
        while True:
            taken.append(os.dup(0))
    for _ in range(left):
        os.close(taken.pop())
    try:
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_silent_connections_that_take_all_descriptors_are_cut_off(free_port: int) -> None:
    """Else nobody would be let in again: with no descriptor left, every accept fails."""
    with listening(free_port, patience_s=0.1), ExitStack() as stack:
        # made before descriptors run out, for both ends live in this process
        peers = [stack.enter_context(socket.socket()) for _ in range(8)]
        stack.enter_context(few_descriptors(4))
        for peer in peers:
            peer.settimeout(WAIT_S)
            peer.connect(("127.0.0.1", free_port))
        assert all(_has_ended(peer) for peer in peers)
        stack.close()
        wait_until(lambda: _answers(free_port), "a new connection to be served")
