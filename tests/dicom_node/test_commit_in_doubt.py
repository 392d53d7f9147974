"""The server commits and dies before it says so: what is done twice then is harmless.

Between each part of the node and its server lies a line that is cut at such a moment.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from dicom_node.delivery import Delivery
from dicom_node.intake import Intake
from dicom_node.settings import Settings
from dicom_node.spool import Spool, file_meta
from storage.database import connect
from storage.index_check import check
from tests.dicom_node.conftest import NODE
from tests.dicom_node.doors import working
from tests.dicom_node.objects import INSTANCE, STUDY, encoded, radiograph
from tests.dicom_node.receivers import peer_at, receiver, report_file
from tests.dicom_node.worked import held_by, worked_node
from tests.storage.made import queue_report
from tests.storage.servers import Line, line_to
from tests.waiting import wait_until


@pytest.fixture
def line(database_url: str) -> Iterator[Line]:
    """A line to the test's database."""
    with line_to(database_url) as opened:
        yield opened


@pytest.fixture
def by_line(line: Line) -> Iterator[Engine]:
    """An engine on the test's database, by the line."""
    engine = connect(line.url)
    yield engine
    engine.dispose()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_node.rounds.WAIT_S", 0.01)


def _all(engine: Engine, query: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


@contextmanager
def _running(run: Callable[[threading.Event], None]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(stop,))
    thread.start()
    try:
        yield
        assert thread.is_alive(), "it ended before it was told to"
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    "cut_after",
    [
        (b"INSERT INTO instances", b"COMMIT"),
        (b"INSERT INTO jobs", b"COMMIT"),
    ],
)
def test_an_instance_is_recorded_and_its_study_closed_once(
    engine: Engine, line: Line, by_line: Engine, tmp_path: Path, cut_after: tuple[bytes, ...]
) -> None:
    spool = Spool(tmp_path)
    dataset = radiograph()
    meta = file_meta(
        sop_class_uid=dataset.SOPClassUID,
        sop_instance_uid=dataset.SOPInstanceUID,
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        calling_ae="CT1",
    )
    name = spool.put(meta, encoded(dataset))
    line.cut_after = cut_after
    with working(Intake(by_line, spool, node=NODE, close_after_s=0.1)):
        wait_until(lambda: line.cuts == 1, "the line to be cut")
        wait_until(lambda: _all(engine, "SELECT * FROM jobs"), "the study to be closed")
        wait_until(lambda: _goes_on(by_line), "the line to be mended")
    assert _all(engine, "SELECT sop_instance_uid, spool_name FROM instances") == [(INSTANCE, name)]
    assert _all(engine, "SELECT revision FROM studies") == [(1,)]
    assert len(_all(engine, "SELECT id FROM jobs")) == 1
    assert list(spool.names()) == [name]
    assert list(spool.quarantined()) == []


def _goes_on(engine: Engine) -> bool:
    return _all(engine, "SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    "cut_after",
    [
        (b"UPDATE jobs", b"COMMIT"),
        (b"INSERT INTO embeddings", b"COMMIT"),
        (b"INSERT INTO sends", b"COMMIT"),
    ],
)
def test_a_study_is_embedded_and_answered_once(
    engine: Engine, line: Line, by_line: Engine, tmp_path: Path, cut_after: tuple[bytes, ...]
) -> None:
    with worked_node(by_line, tmp_path) as node:
        node.receive(radiograph())
        node.close()
        line.cut_after = cut_after
        with _running(node.loop.run):
            wait_until(lambda: line.cuts == 1, "the line to be cut")
            wait_until(lambda: _all(engine, "SELECT 1 FROM jobs WHERE state = 'done'"), "the work")
        with engine.connect() as connection:
            assert check(connection, held_by(node.worker, connection)).faults == []
    assert _all(engine, "SELECT state FROM studies") == [("indexed",)]
    live = "SELECT sop_instance_uid FROM embeddings WHERE retired_at IS NULL"
    assert _all(engine, live) == [(INSTANCE,)]
    assert _all(engine, "SELECT attempts FROM jobs") == [(1,)]
    assert len(_all(engine, "SELECT id FROM reports")) == 1
    assert len(_all(engine, "SELECT id FROM sends")) == 1


@pytest.mark.parametrize(
    ("cut_after", "most"),
    [((b"UPDATE sends", b"COMMIT"), 1), ((b"state='done'", b"COMMIT"), 2)],
)
def test_a_report_arrives_and_is_the_same_if_it_arrives_twice(
    engine: Engine,
    line: Line,
    by_line: Engine,
    free_port: int,
    cut_after: tuple[bytes, ...],
    most: int,
) -> None:
    _queue_report(engine)
    settings = Settings(peers=(peer_at(free_port),))
    line.cut_after = cut_after
    with receiver(free_port) as got, _running(Delivery(by_line, settings, node=NODE).run):
        wait_until(lambda: line.cuts == 1, "the line to be cut")
        wait_until(lambda: _all(engine, "SELECT 1 FROM sends WHERE state = 'done'"), "the sending")
    assert 1 <= len(got.datasets) <= most
    assert len({dataset.SOPInstanceUID for dataset in got.datasets}) == 1


def _queue_report(engine: Engine) -> None:
    with engine.begin() as connection:
        queue_report(connection, STUDY, report_file(STUDY))
