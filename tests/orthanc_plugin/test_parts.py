"""Parts of the plug-in apart from Orthanc."""

import ast
import base64
from pathlib import Path
from typing import Any

import pytest

from dicom_node.report.device import Device
from dicom_node.sop_classes import IMAGE_STORAGE
from orthanc_plugin import images
from orthanc_plugin.archive import ArchiveError, Instance
from orthanc_plugin.breaker import AWAY_S, AwayError, Breaker
from orthanc_plugin.configuration import Configuration
from orthanc_plugin.deliveries import Delivery
from orthanc_plugin.exchange import read_request
from orthanc_plugin.inbox import open_inbox
from orthanc_plugin.journal import Journal
from orthanc_plugin.marks import Mark, read_mark
from orthanc_plugin.node import Node, SlowError
from orthanc_plugin.pauses import Pause, retry_wait
from orthanc_plugin.tasks import Task, Tasks
from orthanc_plugin.users import user_of
from orthanc_plugin.viewers import Wanted, address, chosen
from tests.orthanc_plugin.played_node import never, played_node, well
from tests.orthanc_plugin.plugged import SCRIPT

WANTED = Wanted("1.2", "1.2.3", "0a-b", "1.2.3.4", "0c-d", 3)


def test_the_images_are_those_that_the_node_takes() -> None:
    assert {str(uid) for uid in IMAGE_STORAGE} == images.IMAGE_STORAGE
    assert Device("2.25.1", "LIKENESS", "1").manufacturer == images.OWN_MANUFACTURER


@pytest.mark.parametrize("path", sorted(SCRIPT.parent.glob("*.py")), ids=lambda path: path.name)
def test_it_is_written_in_python_3_9(path: Path) -> None:
    """The oldest that a supported Orthanc may be built with; annotations are not evaluated."""
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    annotated = any(isinstance(node, ast.FunctionDef) for node in ast.walk(tree))
    assert not annotated or any(node.module == "__future__" for node in imported)


@pytest.mark.parametrize(
    ("headers", "user"),
    [
        ({}, ""),
        ({"authorization": "Basic " + base64.b64encode(b"bob:pw").decode()}, "bob"),
        ({"authorization": "basic " + base64.b64encode("bob:pä:w".encode()).decode()}, "bob"),
        ({"authorization": "Basic " + base64.b64encode(b"eve:pw").decode()}, ""),
        ({"authorization": "Basic !!"}, ""),
        ({"authorization": "Bearer bob"}, ""),
        ({"x-user": "Müller\r\nX: y"}, "M?ller??X: y"),
        ({"x-user": 100 * "a"}, 64 * "a"),
    ],
)
def test_who_asks(headers: dict[str, str], user: str) -> None:
    set_up = Configuration(
        "http://node", user_header="x-user", authenticated_users=frozenset({"bob"})
    )
    assert user_of(headers, set_up) == user
    unknown = set_up._replace(user_header="", authenticated_users=frozenset())
    assert user_of(headers, unknown) == ""


@pytest.mark.parametrize("bad", [set(), {0}, {6}, {2, 3}, {0, 1, 2}])
def test_a_delivery_leaves_out_what_is_refused_and_nothing_else(bad: set[int]) -> None:
    """Parts are cut in two until the single images are found, with few jobs."""
    listed = [Instance(str(place), "file") for place in range(7)]
    delivery = Delivery(Task("study"), listed, "print", "")
    arrived, jobs = [], 0
    while not delivery.over:
        jobs += 1
        part = [int(name) for name in delivery.part()]
        if bad & set(part):
            assert delivery.cut("why")
        else:
            arrived += part
            delivery.taken()
    assert sorted(arrived) == sorted(set(range(7)) - bad)
    mark = delivery.mark()
    assert (mark.images, mark.refused) == (7 - len(bad), len(bad))
    assert mark.said == ("why" if bad else "")
    assert jobs <= 1 + 6 * len(bad)


def test_a_delivery_gives_up_where_nothing_is_taken() -> None:
    listed = [Instance(str(place), "file") for place in range(500)]
    delivery = Delivery(Task("study"), listed, "print", "")
    jobs = 0
    while delivery.cut("why"):
        jobs += 1
    assert jobs < 20


def test_a_fingerprint_tells_added_and_replaced_images() -> None:
    one, two = Instance("1", "a"), Instance("2", "b")
    prints = {
        images.fingerprint(these)
        for these in ([], [one], [one, two], [one, Instance("2", "c")], [two])
    }
    assert len(prints) == 5
    assert images.fingerprint([two, one]) == images.fingerprint([one, two])


@pytest.mark.parametrize(
    "text", [None, "", "x", "[]", "{}", '{"state":"sent"}', '{"state":"odd","fingerprint":"a"}',
             '{"state":"sent","fingerprint":"a","images":"3"}', '{"state":"sent","other":1}']
)  # fmt: skip
def test_an_unreadable_mark_is_none(text: str | None) -> None:
    assert read_mark(text) is None


def test_a_mark_is_read_as_it_was_written() -> None:
    mark = Mark("sending", "abc", 3, 1, "20260101T000000", "job", "why")
    assert read_mark(mark.text()) == mark


def test_tasks_come_in_order_and_each_study_once() -> None:
    tasks = Tasks()
    tasks.add("old", swept=True)
    for study in ("first", "second", "first"):
        tasks.add(study)
    order = [task.study for task in iter(lambda: tasks.next(1.0), None)]
    assert order == ["first", "second", "old"]


def test_a_study_that_is_stable_again_while_it_is_sent_comes_once_more() -> None:
    tasks = Tasks()
    tasks.add("study")
    task = tasks.next(0)
    assert task is not None
    tasks.add("study")
    assert tasks.next(0) is None
    tasks.done(task)
    assert tasks.next(0) is task
    tasks.done(task)
    assert tasks.next(0) is None
    assert sum(tasks.counts().values()) == 0


def test_a_failed_study_waits_and_lets_others_pass() -> None:
    tasks = Tasks()
    tasks.add("bad")
    task = tasks.next(0)
    assert task is not None
    tasks.retry(task, 10.0, "why")
    tasks.add("good")
    assert [found.study for found in iter(lambda: tasks.next(5.0), None)] == ["good"]
    assert tasks.due_in(5.0) == 5.0
    assert tasks.next(10.0) is task


def test_waits_grow_and_end() -> None:
    assert [retry_wait(5, tries) for tries in (1, 2, 3, 10)] == [5, 15, 45, 900]
    pause, waits = Pause(5), []
    for _ in range(9):
        pause.longer(0, "away")
        waits.append(pause.until)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    pause.end()
    assert (pause.until, pause.reason) == (0, "")


def test_the_breaker_asks_no_node_that_is_away() -> None:
    now = [100.0]
    breaker = Breaker(lambda: now[0])
    breaker.unreachable("refused")
    with pytest.raises(AwayError, match="refused"), breaker.slot():
        pass
    now[0] += AWAY_S
    with breaker.slot():
        breaker.answered()


def test_the_breaker_takes_a_node_for_away_that_is_slow_twice() -> None:
    breaker = Breaker(lambda: 0.0)
    breaker.slow("slow")
    breaker.answered()
    breaker.slow("slow")
    with breaker.slot():
        pass
    breaker.slow("slow")
    with pytest.raises(AwayError), breaker.slot():
        pass


def test_an_impatient_caller_does_not_make_the_node_count_as_away(free_port: int) -> None:
    """The buttons wait shorter for a state than pages for their answer."""
    with played_node(free_port, never) as played:
        node = Node(Configuration(played.url))
        for _ in range(3):
            with pytest.raises(SlowError):
                node.ask("GET", "/studies/1.2", {}, timeout_s=0.1)
        played.play = well
        assert node.ask("GET", "/ui/studies/1.2", {}).status == 200


def test_the_breaker_frees_its_place_after_a_fault() -> None:
    breaker = Breaker()
    for _ in range(100):
        with pytest.raises(ZeroDivisionError), breaker.slot():
            raise ZeroDivisionError
    with breaker.slot():
        pass


@pytest.mark.parametrize(
    ("setting", "loaded", "viewer"),
    [
        ("auto", ["explorer.js", "web-viewer"], "web-viewer"),
        ("auto", ["stone-webviewer", "web-viewer"], "web-viewer"),
        ("auto", ["stone-webviewer", "ohif"], "ohif"),
        ("auto", ["stone-webviewer"], "stone-webviewer"),
        ("auto", ["python"], ""),
        ("stone-webviewer", ["stone-webviewer", "ohif"], "stone-webviewer"),
        ("ohif", ["web-viewer"], ""),
    ],
)
def test_which_viewer(setting: str, loaded: list[str], viewer: str) -> None:
    assert chosen(setting, loaded) == viewer


@pytest.mark.parametrize(
    ("viewer", "where"),
    [
        ("web-viewer", "web-viewer/app/viewer.html?series=0a-b#instance=0c-d_2"),
        ("stone-webviewer", "stone-webviewer/index.html?study=1.2&series=1.2.3"),
        (
            "ohif",
            (
                "ohif/viewer?StudyInstanceUIDs=1.2&initialSeriesInstanceUID=1.2.3"
                "&initialSOPInstanceUID=1.2.3.4"
            ),
        ),
    ],
)
def test_where_a_viewer_opens(viewer: str, where: str) -> None:
    assert address(viewer, WANTED) == f"../../{where}"


class _Queues:
    """The queues of Orthanc 1.12.10, as its Python plug-in hands them over."""

    class QueueOrigin:
        FRONT = 0

    class OrthancException(Exception):  # noqa: N818
        pass

    def __init__(self, broken: bool) -> None:
        self.broken = broken
        self.kept: dict[int, bytes] = {}
        self.reserved: set[int] = set()

    def EnqueueValue(self, _queue: str, value: bytes) -> None:  # noqa: N802
        self.kept[max(self.kept, default=0) + 1] = value

    def ReserveQueueValue(self, _queue: str, _origin: int, _release_s: int) -> Any:  # noqa: N802
        if self.broken:
            raise self.OrthancException(2000, "not implemented")
        free = [number for number in self.kept if number not in self.reserved]
        if not free:
            return None, 0
        self.reserved.add(free[0])
        return self.kept[free[0]], free[0]

    def AcknowledgeQueueValue(self, _queue: str, number: int) -> None:  # noqa: N802
        del self.kept[number]

    def LogInfo(self, _text: str) -> None:  # noqa: N802
        pass


@pytest.mark.parametrize("broken", [False, True])
def test_notes_are_kept_in_orthancs_queues_where_they_can_be(broken: bool) -> None:
    host: Any = _Queues(broken)
    inbox = open_inbox(host, Journal(host))
    inbox.put("one")
    inbox.put("two")
    assert len(host.kept) == (0 if broken else 2)
    first, second = inbox.take(), inbox.take()
    assert first is not None
    assert second is not None
    assert (first.study, second.study, inbox.take()) == ("one", "two", None)
    inbox.done(first)
    inbox.done(second)
    assert host.kept == {}


def test_a_queue_that_fails_later_is_a_fault_of_the_archives() -> None:
    host: Any = _Queues(broken=False)
    inbox = open_inbox(host, Journal(host))
    host.broken = True
    with pytest.raises(ArchiveError, match=r"likeness-stable-studies.*not implemented"):
        inbox.take()


def test_a_note_from_before_is_found_again() -> None:
    host: Any = _Queues(broken=False)
    host.EnqueueValue("", b"old")
    inbox = open_inbox(host, Journal(host))
    note = inbox.take()
    assert note is not None
    assert note.study == "old"


@pytest.mark.parametrize(
    ("given", "decoded", "query"),
    [
        ({}, True, ()),
        ({"": ""}, False, ()),  # of an address that ends in a question mark
        ({"label.0": "a%2Bb", "label.12": "c+d"}, False, (("label", "a+b"), ("label", "c d"))),
        ({"label.0": "50%25"}, True, (("label", "50%25"),)),
        ({"view.x": "PA", "k": ""}, True, (("view.x", "PA"), ("k", ""))),
    ],
)
def test_parameters_are_read(
    given: dict[str, str], decoded: bool, query: tuple[tuple[str, str], ...]
) -> None:
    request = read_request("/likeness/status", {"method": "GET", "get": given}, decoded=decoded)
    assert (request.path, request.query) == ("status", query)
