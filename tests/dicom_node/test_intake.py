"""From the spool into the database: duplicates, damage, restarts, and when a study closes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from sqlalchemy import Engine, text

from dicom_node.intake import BATCH, Intake
from dicom_node.spool import Spool
from storage import studies
from tests.conftest import as_administrator
from tests.dicom_node.doors import working
from tests.dicom_node.objects import INSTANCE, STUDY, encoded, radiograph, write_file
from tests.waiting import wait_until


def _put(spool: Spool, dataset: Dataset, folder: Path) -> str:
    """Puts an object into the spool as the SCP does; returns its name."""
    instance = str(dataset.SOPInstanceUID)
    path = write_file(folder / "put.dcm", encoded(dataset), instance=instance)
    return spool.put(path.read_bytes())


def _state(engine: Engine, study: str = STUDY) -> str | None:
    with engine.connect() as connection:
        found = studies.state_of(connection, study)
    return None if found is None else found.state


def _recorded(engine: Engine) -> list[tuple[str, str]]:
    """SOP Instance UID and spool name of all that the database knows."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT sop_instance_uid, spool_name FROM instances ORDER BY 1")
        )
        return [(row.sop_instance_uid, row.spool_name) for row in rows]


def _take_in(intake: Intake, engine: Engine, spool: Spool, *names: str) -> None:
    """Runs the intake until what it is told of, and what lies in the spool, is taken in."""
    with working(intake):
        for name in names:
            intake.arrived(name)
        wait_until(lambda: not _left(engine, spool), "the spool to be taken in")


def _left(engine: Engine, spool: Spool) -> set[str]:
    with engine.connect() as connection:
        return studies.unrecorded(connection, list(spool.names()))


def test_what_arrives_is_recorded(
    engine: Engine, intake: Intake, spool: Spool, tmp_path: Path
) -> None:
    name = _put(spool, radiograph(), tmp_path)
    _take_in(intake, engine, spool, name)
    assert _recorded(engine) == [(INSTANCE, name)]


def test_an_identical_duplicate_is_removed_from_the_spool(
    engine: Engine, intake: Intake, spool: Spool, tmp_path: Path
) -> None:
    first, second = (_put(spool, radiograph(), tmp_path) for _ in range(2))
    _take_in(intake, engine, spool, first, second)
    assert _recorded(engine) == [(INSTANCE, first)]
    assert list(spool.names()) == [first]


def test_changed_bytes_take_the_place_of_the_old(
    engine: Engine, intake: Intake, spool: Spool, tmp_path: Path
) -> None:
    first = _put(spool, radiograph(), tmp_path)
    second = _put(spool, radiograph(StudyDescription="corrected"), tmp_path)
    _take_in(intake, engine, spool, first, second)
    assert _recorded(engine) == [(INSTANCE, second)]
    assert list(spool.names()) == [second]


def test_a_replaced_file_found_again_after_a_kill_does_not_come_back(
    engine: Engine, intake: Intake, spool: Spool, tmp_path: Path
) -> None:
    """Killed between the commit and the removal of the old file, the node finds both."""
    first = _put(spool, radiograph(), tmp_path)
    kept = spool.path(first).read_bytes()
    second = _put(spool, radiograph(StudyDescription="corrected"), tmp_path)
    _take_in(intake, engine, spool, first, second)
    spool.path(first).write_bytes(kept)
    _take_in(intake, engine, spool)
    assert _recorded(engine) == [(INSTANCE, second)]
    assert list(spool.names()) == [second]


def test_an_unreadable_file_is_quarantined_and_the_others_recorded(
    engine: Engine, intake: Intake, spool: Spool, tmp_path: Path
) -> None:
    good = [_put(spool, radiograph(f"{INSTANCE}.{n}"), tmp_path) for n in range(2)]
    bad = spool.put(b"noise")
    _take_in(intake, engine, spool, good[0], bad, good[1])
    assert [name for _, name in _recorded(engine)] == good
    ((kept, reason),) = spool.quarantined()
    assert kept == bad.replace("/", "-")
    assert reason.startswith("not readable as DICOM (InvalidDicomError")


@pytest.mark.parametrize("count", [3, BATCH + 3])
def test_what_the_database_refuses_does_not_keep_out_the_others(
    engine: Engine, intake: Intake, spool: Spool, tmp_path: Path, count: int
) -> None:
    with engine.begin() as connection:
        rule = f"sop_instance_uid <> '{INSTANCE}.1'"
        connection.execute(text(f"ALTER TABLE instances ADD CONSTRAINT refused CHECK ({rule})"))
    names = [_put(spool, radiograph(f"{INSTANCE}.{n}"), tmp_path) for n in range(count)]
    _take_in(intake, engine, spool, *names)
    assert sorted(name for _, name in _recorded(engine)) == [names[0], *names[2:]]
    ((_, reason),) = spool.quarantined()
    assert reason.startswith("refused by the database: ")
    assert '"refused"' in reason


def test_what_no_index_can_hold_is_quarantined(
    engine: Engine, intake: Intake, spool: Spool, tmp_path: Path
) -> None:
    """PostgreSQL reports it (SQLSTATE 54000) as it does an outage; waiting would be for ever."""
    endless = "".join(f"{number:x}" for number in range(20_000))
    bad = _put(spool, radiograph(PatientID=endless), tmp_path)
    good = _put(spool, radiograph(f"{INSTANCE}.2"), tmp_path)
    _take_in(intake, engine, spool, bad, good)
    assert _recorded(engine) == [(f"{INSTANCE}.2", good)]
    ((_, reason),) = spool.quarantined()
    assert reason.startswith("refused by the database: index row")


def test_what_an_earlier_life_left_in_the_spool_is_adopted(
    engine: Engine, intake: Intake, spool: Spool, tmp_path: Path
) -> None:
    names = [_put(spool, radiograph(f"{INSTANCE}.{n}"), tmp_path) for n in range(3)]
    with working(intake):
        wait_until(lambda: len(_recorded(engine)) == 3, "the files to be adopted")
        wait_until(lambda: _state(engine) == "queued", "their study to close")
    assert [name for _, name in _recorded(engine)] == names


def test_a_file_adopted_and_announced_is_recorded_once(
    engine: Engine, intake: Intake, spool: Spool, tmp_path: Path
) -> None:
    name = _put(spool, radiograph(), tmp_path)
    _take_in(intake, engine, spool, name, name)
    assert _recorded(engine) == [(INSTANCE, name)]
    assert list(spool.names()) == [name]


def test_a_study_stays_open_while_an_association_carries_it(
    engine: Engine, intake: Intake, spool: Spool, tmp_path: Path
) -> None:
    """Of two studies the later one closes first, for nobody carries it any more."""
    intake.carries(1, STUDY)
    carried = _put(spool, radiograph(), tmp_path)
    later = _put(spool, radiograph("1.2.9.1.1", study="1.2.9"), tmp_path)
    with working(intake):
        intake.arrived(carried)
        intake.arrived(later)
        wait_until(lambda: _state(engine, "1.2.9") == "queued", "the later study to close")
        assert _state(engine) == "open"
        intake.released(1)
        wait_until(lambda: _state(engine) == "queued", "the study to close after the release")


def test_a_study_on_two_associations_waits_for_both(
    engine: Engine, intake: Intake, spool: Spool, tmp_path: Path
) -> None:
    for number in (1, 2):
        intake.carries(number, STUDY)
    carried = _put(spool, radiograph(), tmp_path)
    later = _put(spool, radiograph("1.2.9.1.1", study="1.2.9"), tmp_path)
    with working(intake):
        intake.arrived(carried)
        intake.released(1)
        intake.released(1)
        intake.arrived(later)
        wait_until(lambda: _state(engine, "1.2.9") == "queued", "the later study to close")
        assert _state(engine) == "open"
        intake.released(2)
        wait_until(lambda: _state(engine) == "queued", "the study to close")


def test_a_late_image_opens_its_study_again(
    engine: Engine, intake: Intake, spool: Spool, tmp_path: Path
) -> None:
    first = _put(spool, radiograph(), tmp_path)
    with working(intake):
        intake.arrived(first)
        wait_until(lambda: _state(engine) == "queued", "the study to close")
        intake.arrived(_put(spool, radiograph(f"{INSTANCE}.2"), tmp_path))
        wait_until(lambda: _revision(engine) == 2, "the study to close once more")


def _revision(engine: Engine) -> int:
    with engine.connect() as connection:
        found = studies.state_of(connection, STUDY)
    return 0 if found is None else found.revision


@contextmanager
def _database_away(server_url: str, engine: Engine) -> Iterator[None]:
    """Ends all connections to the database and lets nobody in, for as long as the block lasts."""
    name = engine.url.database
    with as_administrator(server_url) as connection:
        connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"),
            {"name": name},
        )
        try:
            yield
        finally:
            connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))


def test_a_database_that_is_away_only_makes_it_wait(
    postgres: str,
    engine: Engine,
    intake: Intake,
    spool: Spool,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    name = _put(spool, radiograph(), tmp_path)
    with working(intake):
        with _database_away(postgres, engine):
            intake.arrived(name)
            wait_until(lambda: "waits for the database" in caplog.text, "the outage to be noticed")
        wait_until(lambda: _recorded(engine), "the file to be recorded after all")
    assert list(spool.quarantined()) == []


def test_a_disk_that_refuses_only_makes_it_wait(
    engine: Engine,
    intake: Intake,
    spool: Spool,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The quarantine cannot be written for a while; afterwards it gets what is due."""
    bad, good = spool.put(b"noise"), _put(spool, radiograph(), tmp_path)
    spool.quarantine_folder.rmdir()
    with working(intake):
        wait_until(lambda: "waits for the disk" in caplog.text, "the fault to be noticed")
        spool.quarantine_folder.mkdir()
        wait_until(lambda: _recorded(engine), "the good file to be recorded")
    assert [name for _, name in _recorded(engine)] == [good]
    assert [kept for kept, _ in spool.quarantined()] == [bad.replace("/", "-")]
