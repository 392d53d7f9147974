"""C-MOVE: what is awaited is handed over at the door, and what happens where nothing comes."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from dicom_node.part10 import data_set_start
from dicom_node.retrieving.awaited import Awaited
from dicom_node.retrieving.opening import open_retriever
from dicom_node.retrieving.retriever import (
    RetrieveError,
    Retriever,
    RetrieverAwayError,
    WantedInstance,
)
from dicom_node.scp import start_scp
from dicom_node.settings import EncoderSettings, PressureSettings, Settings
from dicom_node.sop_classes import MOVE_MODEL
from dicom_node.spool import Spool
from tests.dicom_node.objects import INSTANCE, SERIES, STUDY, encoded, radiograph
from tests.dicom_node.raw_archive import (
    ABORTED,
    GET_RESPONSE,
    Answer,
    answering,
    raw_archive,
    response,
)
from tests.dicom_node.raw_peer import (
    CR,
    LAST_COMMAND,
    LAST_DATA,
    STORE_CONTEXT,
    associated,
    p_data,
    pdv,
    store_rq,
)
from tests.dicom_node.receivers import OURS, peer_at
from tests.dicom_node.receiving import CONTEXTS, Node, settings_for

DATA = encoded(radiograph())
WANTED = WantedInstance(STUDY, SERIES, CR, INSTANCE)
BY_MOVE = EncoderSettings(fetch_from="pacs")


@pytest.fixture(autouse=True)
def _doors_shut_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_node.upper_layer.listener.LOOK_S", 0.02)


def _settings(folder: Path, port: int, mover_port: int = 1, **changes: Any) -> Settings:
    mover = peer_at(mover_port, retrieve="c-move")
    settings = settings_for(folder, port, mover)
    return settings.model_copy(update={"encoder": BY_MOVE, **changes})


@contextmanager
def our_door(settings: Settings) -> Iterator[Node]:
    """The receiving half of a node with these settings, in this process."""
    assert settings.dicom.port is not None
    node = Node(settings.dicom.port, Spool(settings.data_folder))
    door = start_scp(settings, CONTEXTS, node.spool, node.events.append)
    try:
        yield node
    finally:
        door.shutdown()


def _stored(node: Node, originator: bytes | None, data: bytes = DATA) -> int:
    """Sends the instance, with a Move Originator AE Title (PS3.7 9.3.1.1) or without."""
    request = store_rq(INSTANCE, x1030=originator)
    with associated(node.port) as peer:
        peer.send(
            p_data(pdv(STORE_CONTEXT, LAST_COMMAND, request)),
            p_data(pdv(STORE_CONTEXT, LAST_DATA, data)),
        )
        (status,) = peer.statuses(1)
        peer.release()
    return status


@pytest.mark.parametrize(
    ("originator", "handed_over", "spooled"),
    [
        (b"LIKENESS", True, False),
        (b" LIKENESS ", True, False),
        (None, True, True),  # it may have been sent for its own sake
        (b"", True, True),
        (b"SOMEBODY", False, True),
    ],
)
def test_an_instance_that_is_awaited(
    originator: bytes | None, handed_over: bool, spooled: bool, free_port: int, tmp_path: Path
) -> None:
    with our_door(_settings(tmp_path, free_port)) as node:
        with Awaited(node.spool.folder).awaiting(INSTANCE) as place:
            assert _stored(node, originator) == 0x0000
            assert place.exists() is handed_over
            if handed_over:
                assert place.read_bytes()[data_set_start(place) :] == DATA
        assert len(node.names()) == len(node.kept()) == spooled
        assert not node.aside()


@pytest.mark.parametrize("originator", [b"LIKENESS", None])
def test_an_instance_that_nobody_awaits_is_received_as_any(
    originator: bytes | None, free_port: int, tmp_path: Path
) -> None:
    """Also one that was awaited a moment ago, by a process that was killed."""
    with our_door(_settings(tmp_path, free_port)) as node:
        with Awaited(node.spool.folder).awaiting(INSTANCE) as place:
            pass
        place.with_suffix(".awaited").touch()
        assert _stored(node, originator) == 0x0000
        assert len(node.names()) == 1


def test_a_node_that_fetches_otherwise_awaits_nothing(free_port: int, tmp_path: Path) -> None:
    with our_door(settings_for(tmp_path, free_port)) as node:
        with Awaited(node.spool.folder).awaiting(INSTANCE) as place:
            assert _stored(node, b"LIKENESS") == 0x0000
            assert not place.exists()
        assert len(node.names()) == 1


def test_an_awaited_instance_is_judged_as_any(free_port: int, tmp_path: Path) -> None:
    """PS3.4 B.2.3: another instance than announced, and one that cannot be read."""
    other = encoded(radiograph("1.2.3"))
    with (
        our_door(_settings(tmp_path, free_port)) as node,
        Awaited(node.spool.folder).awaiting(INSTANCE) as place,
    ):
        assert _stored(node, b"LIKENESS", other) == 0xA900
        assert _stored(node, b"LIKENESS", DATA[:40]) == 0xC000
        assert not place.exists()


def test_one_process_at_a_time_awaits_an_instance(tmp_path: Path) -> None:
    first, second = Awaited(tmp_path), Awaited(tmp_path)
    with first.awaiting(INSTANCE) as place:
        with pytest.raises(RetrieverAwayError, match="being fetched by another process"):
            second.awaiting(INSTANCE).__enter__()
        assert second.place_for(INSTANCE) == place
        with second.awaiting("1.2.3") as other:
            assert other != place
    with second.awaiting(INSTANCE) as again:
        assert again == place
    assert not list(first.folder.iterdir())


def test_what_a_killed_process_left_counts_for_nothing(tmp_path: Path) -> None:
    """Its lock went with it, its files did not."""
    awaited = Awaited(tmp_path)
    with awaited.awaiting(INSTANCE) as place:
        pass
    place.write_bytes(b"came late")
    place.with_suffix(".awaited").touch()
    assert awaited.place_for(INSTANCE) is None
    with awaited.awaiting(INSTANCE) as again:
        assert not again.exists()
        place.with_name("other.dcm").write_bytes(b"came late")
        awaited.sweep()
        assert [path.suffix for path in awaited.folder.iterdir()] == [".awaited"]


@contextmanager
def retrieving(folder: Path, port: int, answer: Answer, **changes: Any) -> Iterator[Retriever]:
    """A retriever for an archive that answers so; ``changes`` are to our settings."""
    with (
        raw_archive(answer) as mover_port,
        open_retriever(_settings(folder, port, mover_port, **changes)) as retriever,
    ):
        yield retriever


def _fault(retriever: Retriever, into: Path) -> str:
    """Why fetching failed, "away" before it where that is worth trying later; no file is left."""
    into.mkdir(exist_ok=True)
    with pytest.raises(RetrieveError) as caught:
        retriever.fetch(WANTED, into)
    assert not list(into.iterdir())
    away = "away: " if isinstance(caught.value, RetrieverAwayError) else ""
    return away + re.sub(r"^peer pacs \(PACS at [\d.:]+\): ", "", str(caught.value))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (answering(0x0000, x1021=0, x1022=0, x1023=0), "does not have it"),
        (answering(0xB000, x1021=0, x1022=1, x1023=0), "has it and could not send it"),
        (answering(0xA801), "away: it does not know our AE title as a move destination"),
        (answering(0xC000), "does not have it, or does not give it (answered 0xC000)"),
        (answering(0x0000, x1021=1), "away: says that it has sent it, and nothing came"),
        (answering(0x0000), "away: says that it has sent it, and nothing came"),
        (answering(0x0000, kind=GET_RESPONSE), "sent a C-GET that was not due"),
        (lambda _: [ABORTED], "away: breaks the association off when it is asked"),
    ],
)
def test_why_nothing_came(
    answer: Answer, told: str, free_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicom_node.retrieving.c_move.LANDING_S", 0.2)
    with retrieving(tmp_path, free_port, answer) as retriever:
        assert _fault(retriever, tmp_path / "into").startswith(told)
    assert not list((tmp_path / "spool/awaited").iterdir())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    "garbage", [p_data(pdv(1, LAST_COMMAND, b"none")), b"\x04\0\0\0", b"GET /"]
)
def test_garbage_ends_the_association(garbage: bytes, free_port: int, tmp_path: Path) -> None:
    """A command set that is none, a PDU that is cut off, another protocol."""
    with retrieving(tmp_path, free_port, lambda _: [garbage, ABORTED]) as retriever:
        assert "breaks the association off" in _fault(retriever, tmp_path / "into")


def test_pending_responses_are_passed_over(free_port: int, tmp_path: Path) -> None:
    def answer(request: Dataset) -> Iterator[bytes]:
        yield response(request, 0xFF00, x1020=1, x1021=0)
        yield response(request, 0xFF01, x1020=1, x1021=0)
        assert _stored(node, b"LIKENESS") == 0x0000
        yield response(request, 0x0000, x1021=1, x1022=0, x1023=0)

    with (
        our_door(_settings(tmp_path, free_port)) as node,
        retrieving(tmp_path, free_port, answer) as retriever,
    ):
        path = retriever.fetch(WANTED, tmp_path)
    assert path.read_bytes()[data_set_start(path) :] == DATA


@pytest.mark.parametrize("counts", [{"x1021": 1}, {}])
def test_an_archive_that_sends_after_it_answered_is_waited_for(
    counts: dict[str, int], free_port: int, tmp_path: Path
) -> None:
    def answer(request: Dataset) -> Iterator[bytes]:
        yield response(request, 0x0000, **counts)
        assert _stored(node, b"LIKENESS") == 0x0000

    with (
        our_door(_settings(tmp_path, free_port)) as node,
        retrieving(tmp_path, free_port, answer) as retriever,
    ):
        path = retriever.fetch(WANTED, tmp_path)
    assert path.read_bytes()[data_set_start(path) :] == DATA


def test_an_archive_that_sends_and_then_breaks_off_has_sent(free_port: int, tmp_path: Path) -> None:
    """It is asked once more, and what came is taken."""

    def answer(request: Dataset) -> Iterator[bytes]:
        assert _stored(node, b"LIKENESS") == 0x0000
        yield ABORTED if request.MessageID == 1 else response(request, 0x0000, x1021=1)

    with (
        our_door(_settings(tmp_path, free_port)) as node,
        retrieving(tmp_path, free_port, answer) as retriever,
    ):
        assert retriever.fetch(WANTED, tmp_path).exists()


def test_the_request_names_our_ae_title(free_port: int, tmp_path: Path) -> None:
    """PS3.7 9.3.4.1: as Move Destination (0000,0600), where the node's own door is."""
    asked: list[Dataset] = []

    def answer(request: Dataset) -> list[bytes]:
        asked.append(request)
        return [response(request, 0xC000)]

    with retrieving(tmp_path, free_port, answer) as retriever:
        for _ in range(2):
            _fault(retriever, tmp_path / "into")
    assert [(entry.MoveDestination, entry.MessageID) for entry in asked] == [(OURS, 1), (OURS, 2)]
    assert {entry.AffectedSOPClassUID for entry in asked} == {MOVE_MODEL}


def test_a_door_that_is_shut_for_want_of_room_asks_nobody(free_port: int, tmp_path: Path) -> None:
    def answer(_: Dataset) -> list[bytes]:
        raise AssertionError("it was asked")

    full = PressureSettings(min_free_gb=1e9)
    with retrieving(tmp_path, free_port, answer, pressure=full) as retriever:
        told = _fault(retriever, tmp_path / "into")
    assert re.match("away: not asked: less than .* GB are free", told)


def test_a_node_that_ends_waits_no_longer(free_port: int, tmp_path: Path) -> None:
    stop = threading.Event()

    def answer(request: Dataset) -> Iterator[bytes]:
        yield response(request, 0x0000, x1021=1)
        stop.set()

    with (
        raw_archive(answer) as port,
        open_retriever(_settings(tmp_path, free_port, port), stop=stop) as retriever,
        pytest.raises(RetrieverAwayError),
    ):
        retriever.fetch(WANTED, tmp_path)
