"""The spool is emptied by the site's rule, and a crash at any step leaves nothing behind."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from dicom_node.retention import Retention
from dicom_node.settings import SpoolSettings
from dicom_node.spool import Spool
from dicom_node.surplus_files import remove_surplus_files
from storage import studies, surplus
from tests.dicom_node.conftest import NODE
from tests.storage.made import received
from tests.waiting import wait_until


def _retention(engine: Engine, spool: Spool, **settings: float) -> Retention:
    return Retention(engine, spool, SpoolSettings(**settings), node=NODE)


def _indexed(engine: Engine, spool: Spool, count: int = 1) -> list[str]:
    """An indexed study of files of a gigabyte each, as the database has it."""
    names = [spool.put(b"content") for _ in range(count)]
    with engine.begin() as connection:
        for number, name in enumerate(names):
            arrived = received(instance=f"1.2.3.1.{number}", spool_name=name)
            studies.record(connection, arrived, received_by=NODE)
        connection.execute(text("UPDATE studies SET state = 'indexed', indexed_at = now()"))
        connection.execute(text("UPDATE instances SET size_bytes = 1000000000"))
    return names


@pytest.mark.parametrize(
    ("settings", "removed"),
    [
        ({"keep_days": 0}, 2),
        ({"keep_days": 1}, 0),
        ({"keep_days": 1, "keep_gb": 2}, 0),
        ({"keep_days": 1, "keep_gb": 1.9}, 2),
        ({"keep_days": 1, "keep_failed_days": 0}, 0),
    ],
)
def test_files_are_removed_by_the_rule(
    engine: Engine, spool: Spool, settings: dict[str, float], removed: int
) -> None:
    _indexed(engine, spool, 2)
    assert _retention(engine, spool, **settings).sweep_once() == removed
    assert len(list(spool.names())) == 2 - removed
    with engine.connect() as connection:
        assert surplus.names_of(connection, node=NODE) == []


def test_more_files_than_one_statement_takes_are_removed(
    engine: Engine, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surplus, "BATCH_ROWS", 3)
    _indexed(engine, spool, 8)
    assert _retention(engine, spool, keep_days=0).sweep_once() == 8
    assert list(spool.names()) == []


def test_killed_after_the_commit_the_file_is_removed_next_time(
    engine: Engine, spool: Spool
) -> None:
    (name,) = _indexed(engine, spool)
    with engine.begin() as connection:
        surplus.release_settled(connection, node=NODE, older_than=datetime.resolution * 0)
    assert list(spool.names()) == [name]
    assert _retention(engine, spool).sweep_once() == 0
    assert list(spool.names()) == []


def test_killed_after_the_removal_the_name_is_forgotten_next_time(
    engine: Engine, spool: Spool
) -> None:
    (name,) = _indexed(engine, spool)
    with engine.begin() as connection:
        surplus.release_settled(connection, node=NODE, older_than=datetime.resolution * 0)
    spool.remove(name)
    spool.path(name).parent.rmdir()
    assert remove_surplus_files(engine, spool, node=NODE) == 1
    assert remove_surplus_files(engine, spool, node=NODE) == 0


def test_a_disk_that_refuses_keeps_the_names_for_later(engine: Engine, spool: Spool) -> None:
    """A folder in the file's place cannot be unlinked."""
    (name,) = _indexed(engine, spool)
    spool.remove(name)
    spool.path(name).mkdir()
    with pytest.raises(OSError, match=name):
        _retention(engine, spool, keep_days=0).sweep_once()
    with engine.connect() as connection:
        assert surplus.names_of(connection, node=NODE) == [name]


def test_empty_folders_of_past_days_are_removed(engine: Engine, spool: Spool) -> None:
    today = f"{datetime.now(UTC):%Y%m%d}"
    for day in ("20200101", "20200102", today, "keep-me"):
        (spool.folder / day).mkdir()
    (spool.folder / "20200102" / "120000.000000-0badcafe.dcm").touch()
    _retention(engine, spool).sweep_once()
    kept = {entry.name for entry in spool.folder.iterdir() if entry != spool.aside}
    assert kept == {"20200102", today, "keep-me"}


def test_it_sweeps_until_told_to_stop(engine: Engine, spool: Spool, tmp_path: Path) -> None:
    _indexed(engine, spool)
    stop = threading.Event()
    thread = threading.Thread(target=_retention(engine, spool, keep_days=0).run, args=(stop,))
    thread.start()
    wait_until(lambda: not list(spool.names()), "the file to be removed")
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
