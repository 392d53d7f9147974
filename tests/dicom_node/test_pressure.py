"""Pressure: when it begins, when it ends, and what senders are answered meanwhile."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dicom_node.pressure import Mark, Pressure
from tests.dicom_node.filesystems import small_tmpfs
from tests.dicom_node.raw_peer import (
    ASSOCIATE_RJ,
    OFFERS,
    Pdu,
    answer_to_request,
    answers_echo,
    associate_rq,
    associated,
    store,
)
from tests.dicom_node.receiving import Node, instance, receiving

CONGESTED = Pdu(ASSOCIATE_RJ, b"\0\x02\x03\x01")
"""Rejected-transient by the presentation layer, temporary congestion (PS3.8 table 9-21)."""
MORE_THAN_ANY_DISK_GB = 1e12
MB = 10**6


def test_a_mark_has_hysteresis() -> None:
    """From 100 down, until there is a tenth more again."""
    mark = Mark("less than 100 are free", 100)
    rooms = {101: False, 100: False, 99: True, 105: True, 109: True, 111: False, 102: False}
    assert {room: mark.look(room) for room in rooms} == rooms


def test_a_change_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    mark = Mark("less than 100 are free", 100)
    for room in (99, 98, 97, 200, 300):
        mark.look(room)
    assert [record.message for record in caplog.records] == [
        "senders are asked to wait: less than 100 are free",
        "senders are let in again: no longer less than 100 are free",
    ]


def _pressure(folder: Path, min_free_gb: float = 0, full: bool = False) -> Pressure:
    return Pressure(folder, min_free_gb, lambda: full)


def test_free_space_is_the_disks(tmp_path: Path) -> None:
    free_gb = shutil.disk_usage(tmp_path).free / 1e9
    assert _pressure(tmp_path, free_gb * 2).reason() is not None
    assert _pressure(tmp_path, free_gb / 2).reason() is None


def test_no_watermark_is_never_reached(tmp_path: Path) -> None:
    assert _pressure(tmp_path).reason() is None


def test_the_queue_is_a_reason(tmp_path: Path) -> None:
    assert _pressure(tmp_path, full=True).reason() == "too many studies are queued"


def test_a_spool_that_is_gone_is_a_reason(tmp_path: Path) -> None:
    """Senders are to come again when the disk is mounted."""
    reason = _pressure(tmp_path / "gone").reason()
    assert reason is not None
    assert "cannot be reached" in reason


def _refused(node: Node) -> bool:
    """Whether a new association for storage is refused for now."""
    return answer_to_request(node.port) == CONGESTED


def _goes_through(node: Node, begin: Callable[[], None], end: Callable[[], None]) -> None:
    """Sends over an association that was open before the pressure and stays open."""
    with associated(node.port) as peer:
        peer.send(store(*instance(1)))
        assert peer.statuses(1) == [0x0000]
        begin()
        peer.send(store(*instance(2)))
        assert peer.statuses(1) == [0xA700]
        assert answers_echo(node.port)
        assert _refused(node)
        end()
        peer.send(store(*instance(3)))
        assert peer.statuses(1) == [0x0000]
        peer.release()
    assert not _refused(node)
    assert node.store(4) == 0x0000
    assert (node.kept(), node.aside()) == (node.names(), [])
    assert len(node.names()) == 3


def test_a_full_queue_has_senders_wait(tmp_path: Path) -> None:
    full: list[bool] = []
    with receiving(tmp_path, queue_is_full=lambda: bool(full)) as node:
        _goes_through(node, lambda: full.append(True), full.clear)


def test_a_disk_below_its_watermark_has_senders_wait(tmp_path: Path) -> None:
    with receiving(tmp_path, min_free_gb=MORE_THAN_ANY_DISK_GB) as node:
        assert _refused(node)
        assert answers_echo(node.port)


def test_verification_alone_is_let_in_and_may_not_store(tmp_path: Path) -> None:
    with (
        receiving(tmp_path, min_free_gb=MORE_THAN_ANY_DISK_GB) as node,
        associated(node.port, associate_rq(OFFERS[0])) as peer,
    ):
        peer.send(store(*instance(1)))
        assert [pdu.kind for pdu in peer.rest()] == [7]
        assert node.names() == []


def test_a_disk_that_fills_up_and_is_cleared(tmp_path: Path) -> None:
    with small_tmpfs(tmp_path) as disk, receiving(disk.folder, min_free_gb=10 * MB / 1e9) as node:
        _goes_through(node, lambda: disk.leave_free(9 * MB), disk.clear)


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    """No watermark: the disk itself says that there is no room."""
    with small_tmpfs(tmp_path) as disk, receiving(disk.folder) as node:
        assert node.store(1) == 0x0000
        disk.leave_free(0)
        assert [node.store(number) for number in (2, 3)] == [0xA700, 0xA700]
        assert answers_echo(node.port)
        assert (len(node.names()), node.aside()) == (1, [])
        disk.clear()
        assert node.store(2) == 0x0000
        assert node.kept() == node.names()


def test_what_cannot_be_understood_on_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    with small_tmpfs(tmp_path) as disk, receiving(disk.folder) as node:
        disk.leave_free(8192)
        with associated(node.port) as peer:
            peer.send(store("1.2.3", b"\xff" * 4000))
            assert peer.statuses(1) == [0xA700]
        assert node.aside() == []
        assert list(node.spool.quarantined()) == []
        disk.clear()
        assert node.store(2) == 0x0000


def test_a_spool_that_became_read_only(tmp_path: Path) -> None:
    with small_tmpfs(tmp_path) as disk, receiving(disk.folder) as node:
        assert node.store(1) == 0x0000
        with disk.read_only():
            assert [node.store(number) for number in (2, 3)] == [0xA700, 0xA700]
            assert answers_echo(node.port)
        assert node.store(2) == 0x0000
        assert (node.kept(), node.aside()) == (node.names(), [])


def test_a_spool_that_is_gone_for_a_while(tmp_path: Path) -> None:
    """As when its disk is not mounted: a refusal, and no broken connection."""
    with receiving(tmp_path) as node, associated(node.port) as peer:
        elsewhere = node.spool.folder.rename(tmp_path / "elsewhere")
        assert _refused(node)
        peer.send(store(*instance(1)))
        assert peer.statuses(1) == [0xA700]
        elsewhere.rename(node.spool.folder)
        peer.send(store(*instance(1)))
        assert peer.statuses(1) == [0x0000]
        peer.release()
