"""What may befall a receiving node, in any size: the tests bring little of it, a benchmark much."""

import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.dicom_node.mutated_sessions import acknowledged, mutated, recorded
from tests.dicom_node.objects import encoded, radiograph
from tests.dicom_node.raw_peer import (
    ABORT,
    DATA,
    LAST_COMMAND,
    LAST_DATA,
    STORE_CONTEXT,
    answers_echo,
    associated,
    p_data,
    pdu,
    pdv,
    raw_peer,
    store,
    store_rq,
)
from tests.dicom_node.receiving import Node, instance
from tests.waiting import wait_until

MB = 10**6
PIECE = 100_000
BATCH = 100


@dataclass(frozen=True)
class Watched:
    """A receiving node, and the process that receives for it."""

    node: Node
    pid: int

    def rss(self) -> int:
        """Its resident set, in bytes."""
        return self._status("VmRSS") * 1024

    def peak(self) -> int:
        """The largest resident set since ``forget_peak``, in bytes."""
        return self._status("VmHWM") * 1024

    def forget_peak(self) -> None:
        """From now on the peak is that of what follows (proc(5), clear_refs)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def threads(self) -> int:
        """How many threads it has."""
        return self._status("Threads")

    def descriptors(self) -> int:
        """How many descriptors it has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def connections(self) -> int:
        """How many sockets it has open beside the one that listens."""
        links = Path(f"/proc/{self.pid}/fd").iterdir()
        return sum(_is_socket(link) for link in links) - 1

    def _status(self, key: str) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1])
        raise KeyError(key)


def _is_socket(link: Path) -> bool:
    try:
        return link.readlink().name.startswith("socket:")
    except FileNotFoundError:  # closed since it was listed
        return False


@dataclass(frozen=True)
class Suffered:
    """What a misfortune cost the receiving process.

    Attributes:
        peak, after: how many bytes larger it was at its largest, and afterwards.
        descriptors: how many more it had open afterwards.
    """

    peak: int
    after: int
    descriptors: int


def suffer(watched: Watched, misfortune: Callable[[Watched], None]) -> Suffered:
    """Lets it happen; afterwards the node answers, and has exactly what it acknowledged."""
    node = watched.node
    assert node.store() == 0x0000  # what is loaded or started at the first time, is
    _settle(watched)
    rss, threads, descriptors = watched.rss(), watched.threads(), watched.descriptors()
    watched.forget_peak()
    misfortune(watched)
    assert answers_echo(node.port)
    _settle(watched)
    assert node.aside() == []
    wait_until(lambda: len(node.kept()) == len(node.names()), "all events to be heard")
    assert sorted(node.kept()) == sorted(node.names())
    wait_until(lambda: watched.threads() <= threads, "the threads of connections to end")
    return Suffered(watched.peak() - rss, watched.rss() - rss, watched.descriptors() - descriptors)


def _settle(watched: Watched) -> None:
    """Until every connection has ended there."""
    wait_until(lambda: watched.connections() == 0, "the connections to end")


def mutated_streams(watched: Watched, count: int) -> None:
    """Mutated sessions; after every hundred, the node must answer."""
    session, node = recorded(), watched.node
    kept = len(node.names())
    for number in range(count):
        kept += _sent(node.port, mutated(session, number))
        if number % BATCH == 0:
            assert answers_echo(node.port), number
            assert len(node.names()) == kept, number


def _sent(port: int, stream: bytes) -> int:
    """How many instances of the stream are acknowledged."""
    with raw_peer(port) as peer:
        with suppress(OSError):  # the node may hang up before the end
            peer.send(stream)
            peer.half_close()
        return acknowledged(peer.rest())


def idle_connections(watched: Watched, count: int) -> None:
    """Connections that say nothing, one in twenty after an association; a store goes through."""
    with ExitStack() as stack:
        for number in range(count):
            peer = stack.enter_context(raw_peer(watched.node.port))
            if number % 20 == 0:
                peer.associate()
        assert watched.node.store() == 0x0000


def half_a_pdu(watched: Watched, count: int) -> None:
    """Half a fragment and then silence, until the node has had enough."""
    with ExitStack() as stack:
        peers = [stack.enter_context(associated(watched.node.port)) for _ in range(count)]
        for number, peer in enumerate(peers):
            peer.send(store(*instance(number))[:3000])
        for peer in peers:
            assert peer.rest() == []


def silence(watched: Watched, count: int) -> None:
    """Connections that say nothing, until the node has had enough."""
    with ExitStack() as stack:
        peers = [stack.enter_context(raw_peer(watched.node.port)) for _ in range(count)]
        for peer in peers:
            assert peer.rest() == []


def aborts(watched: Watched, count: int) -> None:
    """Associations that are aborted, or just end, in mid-instance."""
    for number in range(count):
        with associated(watched.node.port) as peer:
            peer.send(store(*instance(number), piece=500)[:5000])
            if number % 2:
                peer.send(p_data(pdv(STORE_CONTEXT, DATA, b"")), pdu(ABORT))


def large_instance(watched: Watched, size: int) -> None:
    """One instance with ``size`` bytes of pixel data."""
    uid = "1.2.826.0.1.7"
    with associated(watched.node.port) as peer:
        peer.send(p_data(pdv(STORE_CONTEXT, LAST_COMMAND, store_rq(uid))))
        for piece in _pieces(uid, size):
            peer.send(p_data(pdv(STORE_CONTEXT, DATA, piece)))
        peer.send(p_data(pdv(STORE_CONTEXT, LAST_DATA, b"")))
        assert peer.statuses(1) == [0x0000]
        peer.release()


def _pieces(uid: str, size: int) -> Iterator[bytes]:
    """A data set with that much pixel data, never whole in memory."""
    yield encoded(radiograph(uid, PixelData=None))
    yield struct.pack("<HH2s2xI", 0x7FE0, 0x0010, b"OW", size)
    for start in range(0, size, PIECE):
        yield bytes(min(PIECE, size - start))


def study(watched: Watched, count: int) -> None:
    """``count`` instances over one association."""
    with associated(watched.node.port) as peer:
        for number in range(count):
            peer.send(store(*instance(number), message_id=number % 0xFFFF + 1))
            assert peer.statuses(1) == [0x0000]
        peer.release()


def associations(watched: Watched, count: int) -> None:
    """One association after the other, each with an instance."""
    for number in range(count):
        assert watched.node.store(number) == 0x0000
