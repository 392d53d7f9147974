"""The receiving process: what it tells, and what becomes of it when it, or its node, is killed."""

import os
import signal
import socket
import threading
from contextlib import ExitStack
from multiprocessing import active_children
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import pytest

from dicom_node.child_process import SPAWN, StartError
from dicom_node.receiver import Receiver
from dicom_node.receiver_events import AssociationAccepted, AssociationEnded, InstanceAnswered
from dicom_node.settings import Settings, TlsSettings
from dicom_node.spool import Spool
from tests.dicom_node.objects import STUDY
from tests.dicom_node.raw_peer import (
    answers_echo,
    associated,
    p_data,
    pdv,
    raw_peer,
    store,
    store_all,
)
from tests.dicom_node.receiving import CONTEXTS, Node, instance, receiver, settings_for
from tests.waiting import wait_until

WAIT_S = 60.0


def _pid() -> int:
    """Of the receiving process of this process."""
    (pid,) = [child.pid for child in active_children() if child.name == "likeness-receiver"]
    assert pid is not None
    return pid


def _kill(running: Receiver) -> None:
    os.kill(_pid(), signal.SIGKILL)
    wait_until(lambda: not running.is_alive, "the receiving process to be gone")


def test_events_come_in_their_order(tmp_path: Path, free_port: int) -> None:
    with receiver(tmp_path, free_port) as (_, node):
        assert store_all(free_port, [instance(1), ("1.2.3", b"\xff" * 10), instance(2)]) == [
            0x0000,
            0xC000,
            0x0000,
        ]
        wait_until(lambda: len(node.events) == 5, "the events")
    first, second = node.names()
    assert node.events == [
        AssociationAccepted(1, "SENDER", "127.0.0.1"),
        InstanceAnswered(1, 0x0000, len(instance(1)[1]), STUDY, first),
        InstanceAnswered(1, 0xC000, 10, None, None),
        InstanceAnswered(1, 0x0000, len(instance(2)[1]), STUDY, second),
        AssociationEnded(1, "released"),
    ]


def test_what_came_before_anybody_listened_is_heard(tmp_path: Path, free_port: int) -> None:
    with Receiver(settings_for(tmp_path, free_port), CONTEXTS) as running:
        node = Node(free_port, Spool(tmp_path))
        assert node.store(1) == 0x0000
        running.listen(node.events.append)
        wait_until(lambda: node.outcomes() == ["released"], "the events")
    assert node.kept() == node.names()


def test_a_living_process_is_not_started_again(tmp_path: Path, free_port: int) -> None:
    with receiver(tmp_path, free_port) as (running, node):
        before = _pid()
        assert not running.restart_if_dead()
        assert _pid() == before
        assert node.store(1) == 0x0000


def test_a_killed_process_is_started_again_on_its_port(tmp_path: Path, free_port: int) -> None:
    with receiver(tmp_path, free_port) as (running, node), associated(free_port) as peer:
        peer.send(store(*instance(1)))
        assert peer.statuses(1) == [0x0000]
        half = p_data(pdv(3, 0, b"half"))
        peer.send(store(*instance(2))[:200], half)
        _kill(running)
        assert running.restart_if_dead()
        wait_until(lambda: node.outcomes() == ["broken"], "the open association to be ended")
        assert peer.rest() == []
        assert node.store(3) == 0x0000
        wait_until(lambda: len(node.kept()) == 2, "both instances to be told")
        assert node.kept() == node.names()
        assert node.aside() == []


def test_a_process_that_is_killed_again_and_again(tmp_path: Path, free_port: int) -> None:
    """Ends in good order, too: nobody may wait for the dead ones."""
    with receiver(tmp_path, free_port) as (running, node):
        for number in range(3):
            assert node.store(number) == 0x0000
            _kill(running)
            assert running.restart_if_dead()
        assert answers_echo(free_port)
    assert len(node.names()) == 3


def test_what_a_crash_left_half_written_is_swept(tmp_path: Path, free_port: int) -> None:
    left = Spool(tmp_path).aside / "0123456789abcdef.part"
    left.write_bytes(b"half")
    with receiver(tmp_path, free_port) as (_, node):
        assert node.aside() == []


def _node(folder: Path, port: int, ready: Pipe) -> None:
    """A node that is to be killed: in a process of its own."""
    with Receiver(settings_for(folder, port), CONTEXTS):
        ready.send(None)
        threading.Event().wait()


def test_the_receiver_of_a_killed_node_goes_with_it(tmp_path: Path, free_port: int) -> None:
    ours, theirs = SPAWN.Pipe(duplex=False)
    parent = SPAWN.Process(target=_node, args=(tmp_path, free_port, theirs))
    parent.start()
    theirs.close()
    with ours:
        assert ours.poll(WAIT_S)
    with associated(free_port) as peer:
        peer.send(store(*instance(1)))
        assert peer.statuses(1) == [0x0000]
        parent.kill()
        parent.join(WAIT_S)
        with receiver(tmp_path, free_port) as (_, node):
            assert peer.rest() == []
            assert node.store(2) == 0x0000
            assert len(node.names()) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_node_alone_ends_it(tmp_path: Path, free_port: int, number: signal.Signals) -> None:
    """A signal to the whole process group, as from a terminal, reaches the receiver as well."""
    with receiver(tmp_path, free_port) as (running, node):
        os.kill(_pid(), number)
        assert node.store(1) == 0x0000
        assert running.is_alive


def test_the_end_of_the_block_ends_open_associations(tmp_path: Path, free_port: int) -> None:
    with ExitStack() as stack:
        with receiver(tmp_path, free_port) as (_, node):
            silent = stack.enter_context(raw_peer(free_port))
            peer = stack.enter_context(associated(free_port))
        assert (peer.rest(), silent.rest()) == ([], [])
    assert sorted(node.outcomes()) == ["broken", "broken"]
    assert active_children() == []


def test_a_taken_port_is_a_start_error(tmp_path: Path, free_port: int) -> None:
    with socket.create_server(("127.0.0.1", free_port)):
        expected = f"127.0.0.1:{free_port}.*dicom.port"
        with (
            pytest.raises(StartError, match=expected),
            Receiver(settings_for(tmp_path, free_port), CONTEXTS),
        ):
            pytest.fail("it started")
    with receiver(tmp_path, free_port) as (_, node):
        assert node.store(1) == 0x0000


def _over_tls(folder: Path, port: int) -> Settings:
    missing = folder / "missing.pem"
    tls = TlsSettings(port=port, certificate=missing, key=missing, trusted=missing)
    return settings_for(folder, port).model_copy(update={"tls": tls})


def test_faulty_tls_files_are_a_start_error(tmp_path: Path, free_port: int) -> None:
    settings = _over_tls(tmp_path, free_port)
    with (
        pytest.raises(StartError, match=r"tls.certificate: .*missing.pem cannot be read"),
        Receiver(settings, CONTEXTS),
    ):
        pytest.fail("it started")
    assert active_children() == []


def test_a_full_queue_is_known_there(tmp_path: Path, free_port: int) -> None:
    with receiver(tmp_path, free_port) as (running, _), associated(free_port) as peer:
        for full, expected in ((False, 0x0000), (True, 0xA700), (False, 0x0000)):
            (running.queue_is_full.set if full else running.queue_is_full.clear)()
            peer.send(store(*instance(1)))
            assert peer.statuses(1) == [expected]
        peer.release()


def test_a_flag_outlives_the_process_that_read_it(tmp_path: Path, free_port: int) -> None:
    with receiver(tmp_path, free_port) as (running, node):
        running.queue_is_full.set()
        _kill(running)
        assert running.restart_if_dead()
        assert running.queue_is_full.is_set()
        with raw_peer(free_port):
            running.queue_is_full.clear()
        assert node.store(1) == 0x0000
