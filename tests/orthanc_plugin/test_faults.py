"""Orthanc fails while studies are sent: none is lost, and none comes back for ever."""

import socket
from collections.abc import Iterator

import pytest

from orthanc_plugin.archive import Archive, ArchiveError, Modality
from orthanc_plugin.configuration import Configuration
from orthanc_plugin.doors import Doors
from orthanc_plugin.exchange import Request
from orthanc_plugin.inbox import MemoryInbox, Note
from orthanc_plugin.node import Node
from orthanc_plugin.pauses import Pause, answers
from orthanc_plugin.tasks import Tasks
from tests.orthanc_plugin.played_orthanc import (
    DATABASE,
    Failing,
    OrthancException,
    PlayedOrthanc,
    forwarder_of,
    idle,
)
from tests.waiting import wait_until

AWAY = OrthancException(DATABASE, "The database is away")


@pytest.fixture
def port() -> Iterator[int]:
    """Where something listens, as the node does."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_the_sweep_goes_on_where_the_database_failed(port: int) -> None:
    host = PlayedOrthanc(port, *(f"study{number:02}" for number in range(30)))
    host.before = Failing("GET", "study07/metadata", AWAY, 3)
    forwarder = forwarder_of(host, sweep=True)

    def swept() -> bool:
        for _ in range(10):
            forwarder.step()
        return bool(forwarder.status()["sweep"]["over"] and idle(forwarder))

    wait_until(swept, "the sweep to end")
    assert forwarder.status()["sweep"]["looked"] == 30
    assert len(host.sent()) == 30


def test_a_study_that_is_deleted_as_it_is_sent_is_dropped_and_may_come_again(port: int) -> None:
    host = PlayedOrthanc(port, "study")
    forwarder = forwarder_of(host)

    def delete(method: str, _path: str) -> None:
        if method == "POST":
            host.studies.clear()

    host.before = delete
    forwarder.study_is_stable("study")
    wait_until(lambda: idle(forwarder), "it to be dropped")
    assert (host.jobs, forwarder.step()) == (1, 60.0)  # nothing is due
    host.before = lambda _method, _path: None
    host.studies.add("study")
    forwarder.study_is_stable("study")
    wait_until(lambda: idle(forwarder), "it to be sent")
    assert host.sent() == ["study"]


class _Unticked(MemoryInbox):
    """Notes that cannot be taken off."""

    def done(self, note: Note) -> None:
        raise ArchiveError(note.study)


class _Full(MemoryInbox):
    """Takes no notes."""

    def put(self, study: str) -> None:
        raise ArchiveError(study)


@pytest.mark.parametrize("inbox", [_Unticked(), _Full()])
def test_an_inbox_that_fails_keeps_no_study_from_being_sent(port: int, inbox: MemoryInbox) -> None:
    host = PlayedOrthanc(port, "one", "two")
    forwarder = forwarder_of(host, inbox=inbox)
    for _ in range(2):  # the second time there is nothing to send
        for study in ("one", "two"):
            forwarder.study_is_stable(study)
        wait_until(lambda: idle(forwarder), "both to be dealt with")
    assert host.sent() == ["one", "two"]
    assert host.jobs == 2
    assert "Likeness: a note cannot be taken off: one" in host.log or isinstance(inbox, _Full)


def test_a_fault_of_the_plug_in_leaves_the_study_to_be_tried_again(port: int) -> None:
    host = PlayedOrthanc(port, "study")
    forwarder = forwarder_of(host)
    forwarder.study_is_stable("study")
    forwarder.step()
    host.before = Failing("PUT", "study", ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        forwarder.step()
    assert forwarder.status()["failed"] == 1
    forwarder.study_is_stable("study")
    wait_until(lambda: idle(forwarder), "it to be sent")
    assert host.sent() == ["study"]


def test_a_host_that_no_name_can_be_does_not_answer() -> None:
    assert not answers(Modality("LIKENESS", "a..b", 104))


def test_a_task_that_is_done_with_stays_so() -> None:
    tasks = Tasks()
    tasks.add("study")
    task = tasks.next(0)
    assert task is not None
    tasks.done(task)
    tasks.retry(task, 0.0, "too late")
    tasks.put_back(task)
    assert tasks.next(1.0) is None
    tasks.add("study")
    assert tasks.done(task) == []
    assert tasks.find("study") is not None


def test_a_paused_job_is_told_and_holds_up_no_other(port: int) -> None:
    host = PlayedOrthanc(port, "held", "next")
    host.job = {"State": "Paused"}
    forwarder = forwarder_of(host)
    forwarder.study_is_stable("held")
    wait_until(lambda: forwarder.step() >= 0 and forwarder.status()["held"], "it to be held")
    assert (
        forwarder.standing("held").said == "its job is paused in Orthanc, and may be resumed there"
    )
    forwarder.study_is_stable("next")
    wait_until(lambda: forwarder.step() >= 0 and host.jobs == 2, "the next to be sent")
    host.job = {"State": "Success"}
    wait_until(lambda: idle(forwarder), "both to be sent")
    assert (host.sent(), forwarder.status()["held"]) == (["held", "next"], 0)


@pytest.mark.parametrize("uid", ["..", ".", "1.2.", ".1", 65 * "1", "1.2%2f.."])
def test_what_is_no_uid_reaches_no_path_of_the_node(port: int, uid: str) -> None:
    """Orthanc 1.10.1 folds dots away before the plug-in sees them; others need not."""
    archive = Archive(PlayedOrthanc(port))  # type: ignore[arg-type]
    set_up = Configuration(f"http://127.0.0.1:{port}", timeout_s=0.1)
    doors = Doors(archive, set_up, Node(set_up), forwarder_of(PlayedOrthanc(port)))
    assert doors.answer(Request("GET", f"studies/{uid}")).status == 404
    assert doors.answer(Request("GET", f"studies/{uid}/similar")).status == 404


def test_one_study_that_fails_again_and_again_pauses_nobody() -> None:
    pause = Pause(5)
    for _ in range(9):
        pause.failed(0, "one", "why")
    pause.failed(0, "two", "why")
    assert pause.reason == ""
    pause.failed(0, "three", "why")
    assert pause.reason == "why"


@pytest.mark.parametrize(("state", "paused"), [("Paused", True), ("Running", False)])
def test_a_job_is_read(port: int, state: str, paused: bool) -> None:
    host = PlayedOrthanc(port)
    host.job = {"State": state}
    job = Archive(host).job("job")  # type: ignore[arg-type]
    assert (job.under_way, job.paused) == (True, paused)
