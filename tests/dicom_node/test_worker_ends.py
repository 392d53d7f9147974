"""What becomes of studies in flight when something ends: database, node, space or worker."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from dicom_node.worker_loop import SpaceChangedError
from storage import spaces
from storage.database import connect
from storage.index_check import check
from storage.queue import JOBS, SUSPECT
from tests.dicom_node.objects import STUDY
from tests.dicom_node.worked import (
    WatchedEncoder,
    WorkedNode,
    ct_slice,
    held_by,
    running,
    worked_node,
)
from tests.storage.made import space
from tests.storage.servers import line_to
from tests.waiting import wait_until

FOUR = tuple(f"1.5.{number}" for number in range(4))


@pytest.fixture
def encoder() -> WatchedEncoder:
    return WatchedEncoder()


@pytest.fixture
def node(engine: Engine, tmp_path: Path, encoder: WatchedEncoder) -> Iterator[WorkedNode]:
    with worked_node(engine, tmp_path, encoder=encoder) as made:
        yield made
        encoder.gate.set()


def _in_flight(node: WorkedNode, encoder: WatchedEncoder, count: int = 4) -> None:
    """Waits until so many studies are read, and none of them goes on."""
    wait_until(lambda: len(encoder.prepared) == count, "all to be read")
    assert node.loop.in_flight() == count


def _reasons(node: WorkedNode) -> list[str | None]:
    with node.engine.connect() as connection:
        return list(connection.execute(text("SELECT reason FROM jobs ORDER BY id")).scalars())


def _vectors(node: WorkedNode) -> int:
    with node.engine.connect() as connection:
        live = "SELECT count(*) FROM embeddings WHERE retired_at IS NULL"
        return int(connection.execute(text(live)).scalar_one())


@pytest.mark.parametrize(
    "cut_after", [(b"INSERT INTO embeddings", b"COMMIT"), (b"INSERT INTO embeddings",)]
)
def test_an_outage_gives_all_in_flight_back_uncounted(
    database_url: str,
    engine: Engine,
    tmp_path: Path,
    cut_after: tuple[bytes, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dicom_node.rounds.WAIT_S", 0.01)
    encoder = WatchedEncoder(batch=2)
    with line_to(database_url) as line:
        by_line = connect(line.url)
        with worked_node(by_line, tmp_path, encoder=encoder) as node:
            node.queue(*FOUR)
            line.cut_after = cut_after
            with running(node.loop.run):
                wait_until(lambda: line.cuts == 1, "the line to be cut")
                direct = WorkedNode(engine, node.worker, node.loop)
                wait_until(direct.is_done, "all to be worked")
            assert direct.jobs() == [("done", 1)] * 4
            assert _vectors(direct) == 4
            with engine.connect() as connection:
                assert check(connection, held_by(node.worker, connection)).faults == []
        by_line.dispose()


def test_a_node_that_stops_ends_what_is_in_flight(
    node: WorkedNode, encoder: WatchedEncoder
) -> None:
    encoder.gate.clear()
    node.queue(*FOUR)
    with running(node.loop.run) as stop:
        _in_flight(node, encoder)
        stop.set()
        encoder.gate.set()
    assert node.jobs() == [("done", 1)] * 4


def test_what_does_not_end_in_time_is_given_back_as_if_it_had_not_been_begun(
    node: WorkedNode, encoder: WatchedEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicom_node.worker_loop.DRAIN_S", 0.1)
    encoder.gate.clear()
    node.queue(*FOUR)
    with running(node.loop.run) as stop:
        _in_flight(node, encoder)
        stop.set()
    assert node.jobs() == [("queued", 0)] * 4
    assert _reasons(node) == [None] * 4
    encoder.gate.set()
    wait_until(lambda: not node.loop.in_flight(), "the stages to be empty")
    assert (_vectors(node), node.jobs()) == (0, [("queued", 0)] * 4)
    while node.loop.work_next():
        pass
    assert node.jobs() == [("done", 1)] * 4


def test_a_study_that_is_closed_again_in_flight_is_written_as_it_then_is(
    node: WorkedNode, encoder: WatchedEncoder
) -> None:
    """The middle of three slices is not that of five; the first job leaves no trace."""
    for z in (0, 1, 2):
        node.receive(ct_slice(z))
    node.close()
    encoder.gate.clear()
    with running(node.loop.run):
        _in_flight(node, encoder, 1)
        for z in (3, 4):
            node.receive(ct_slice(z))
        node.close()
        encoder.gate.set()
        wait_until(node.is_done, "both jobs to be done")
    assert node.jobs() == [("done", 1)] * 2
    assert list(node.vectors()) == [f"{STUDY}.1.102"]
    assert _vectors(node) == 1
    assert node.sent_to() == ["pacs"]


def test_when_another_space_answers_all_in_flight_is_given_back(
    node: WorkedNode, encoder: WatchedEncoder
) -> None:
    encoder.gate.clear()
    node.queue(*FOUR)
    raised: list[SpaceChangedError] = []

    def run(stop: threading.Event) -> None:
        with pytest.raises(SpaceChangedError) as caught:
            node.loop.run(stop)
        raised.append(caught.value)
        stop.set()

    with running(run):
        _in_flight(node, encoder)
        with node.engine.begin() as connection:
            spaces.use(connection, space())
        encoder.gate.set()
        wait_until(lambda: raised, "the loop to end")
    assert "not in use any more" in str(raised[0])
    assert node.jobs() == [("queued", 0)] * 4
    assert _vectors(node) == 0


@pytest.mark.parametrize(
    ("claims", "attempts"), [([FOUR], [1, 1, 1, 1]), ([FOUR[:1]], [2, 1, 1, 1])]
)
def test_after_a_death_each_that_was_in_flight_is_worked_alone(
    node: WorkedNode, encoder: WatchedEncoder, claims: list[tuple[str, ...]], attempts: list[int]
) -> None:
    """The try counts only of one that was alone: else nobody knows which of them it was."""
    node.queue(*FOUR)
    for _ in claims[0]:
        node.claim()
    beside = _counting(node, encoder)
    with running(node.loop.run):
        wait_until(node.is_done, "all to be worked")
    assert [tries for _, tries in node.jobs()] == attempts
    if len(claims[0]) == 4:
        assert beside == [1, 1, 1, 1]
        assert encoder.batches[-4:] == [1, 1, 1, 1]


def _counting(node: WorkedNode, encoder: WatchedEncoder) -> list[int]:
    """How many studies are in flight at each forward pass from now on."""
    found: list[int] = []
    infer = encoder.infer

    def counted(*arguments: object) -> object:
        found.append(node.loop.in_flight())
        return infer(*arguments)  # type: ignore[arg-type]

    encoder.infer = counted  # type: ignore[method-assign,assignment]
    return found


def test_one_that_was_in_flight_at_a_death_waits_until_nothing_else_is(
    node: WorkedNode, encoder: WatchedEncoder
) -> None:
    node.queue(*FOUR)
    with node.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE jobs SET reason = :suspect, attempts = 1 "
                "WHERE id = (SELECT id FROM jobs ORDER BY id OFFSET 2 LIMIT 1)"
            ),
            {"suspect": SUSPECT},
        )
    beside = _counting(node, encoder)
    with running(node.loop.run):
        wait_until(node.is_done, "all to be worked")
    assert node.jobs() == [("done", 1), ("done", 1), ("done", 2), ("done", 1)]
    assert 1 in beside
    assert sum(encoder.batches[-len(beside) :]) == 4


def test_a_lease_that_runs_out_in_flight_gives_nobody_the_study_twice(
    node: WorkedNode, encoder: WatchedEncoder
) -> None:
    encoder.gate.clear()
    node.queue(*FOUR)
    with running(node.loop.run):
        _in_flight(node, encoder)
        with node.engine.begin() as connection:
            connection.execute(text("UPDATE jobs SET lease_until = now() - interval '1 s'"))
            connection.execute(text("SELECT pg_notify('likeness', :topic)"), {"topic": JOBS.topic})
        node.queue("1.6")
        wait_until(lambda: "1.6.1.1" in encoder.prepared, "a new study to be claimed")
        encoder.gate.set()
        wait_until(node.is_done, "all to be worked")
    assert node.jobs() == [("done", 1)] * 5


@pytest.mark.parametrize("fault", [ValueError("no such thing"), SystemError("inside")])
def test_a_fault_of_ours_in_a_stage_ends_the_worker(
    node: WorkedNode, fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than hold up everything without a word."""

    def broken(*_: object) -> None:
        raise fault

    monkeypatch.setattr(node.loop._stages, "_finish", broken)
    node.queue(*FOUR)
    raised: list[type[BaseException]] = []

    def run(stop: threading.Event) -> None:
        with pytest.raises(type(fault)) as caught:
            node.loop.run(stop)
        raised.append(caught.type)
        stop.set()

    with running(run):
        wait_until(lambda: raised, "the loop to end")
    assert raised == [type(fault)]
