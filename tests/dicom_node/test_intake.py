"""From the spool into the database: duplicates, damage, restarts, and when a study closes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, SecondaryCaptureImageStorage
from sqlalchemy import Engine, text

from dicom_node.header_reader import HeaderReader
from dicom_node.intake import BATCH, Intake
from dicom_node.receiver_events import AssociationEnded, InstanceAnswered
from dicom_node.spool import Spool
from storage import studies, surplus
from tests.conftest import as_administrator
from tests.dicom_node.conftest import NODE
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
    for name in names:  # before it looks through the spool, which it does by name
        arrived(intake, name)
    with working(intake):
        wait_until(lambda: not _left(engine, spool), "the spool to be taken in")


def arrived(intake: Intake, name: str, *, association: int = 0, study: str = "") -> None:
    """What the receiver tells before it answers a C-STORE with Success."""
    intake.take(InstanceAnswered(association, 0x0000, 100, study, name))


def ended(intake: Intake, association: int) -> None:
    """What the receiver tells when an association is over."""
    intake.take(AssociationEnded(association, "released"))


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


def test_a_later_file_replaces_an_earlier_one_though_the_clock_was_stepped_back(
    engine: Engine, intake: Intake, spool: Spool, tmp_path: Path
) -> None:
    """The order in which files come counts, not the time in their names."""
    first = _put(spool, radiograph(), tmp_path)
    corrected = _put(spool, radiograph(StudyDescription="corrected"), tmp_path)
    second = "20200101/000000.000000-0badcafe.dcm"
    spool.path(second).parent.mkdir()
    spool.path(corrected).rename(spool.path(second))
    _take_in(intake, engine, spool, first, second)
    assert _recorded(engine) == [(INSTANCE, second)]
    assert list(spool.names()) == [second]


def test_a_replaced_file_left_by_a_kill_is_removed_and_not_recorded(
    engine: Engine, intake: Intake, spool: Spool, tmp_path: Path
) -> None:
    """Killed between the commit and the removal of the old file, the node finds both."""
    first = _put(spool, radiograph(), tmp_path)
    second = _put(spool, radiograph(StudyDescription="corrected"), tmp_path)
    reader = HeaderReader()
    with engine.begin() as connection, reader:
        for name in (first, second):
            received = reader.read(spool.path(name), name)
            studies.record(connection, received, received_by=NODE)
    _take_in(intake, engine, spool)
    wait_until(lambda: list(spool.names()) == [second], "the first file to be removed")
    assert _recorded(engine) == [(INSTANCE, second)]


def test_a_surplus_file_that_is_told_of_again_does_not_come_back(
    engine: Engine, intake: Intake, spool: Spool, tmp_path: Path
) -> None:
    """Adoption may find what the receiver also tells of, and the disk may refuse to remove it."""
    first = _put(spool, radiograph(), tmp_path)
    kept = spool.path(first).read_bytes()
    second = _put(spool, radiograph(StudyDescription="corrected"), tmp_path)
    _take_in(intake, engine, spool, first, second)
    spool.path(first).write_bytes(kept)
    with engine.begin() as connection:
        surplus.add(connection, [(first, NODE)])
    last = _put(spool, radiograph(f"{INSTANCE}.2"), tmp_path)
    _take_in(intake, engine, spool, first, last)
    assert _recorded(engine) == [(INSTANCE, second), (f"{INSTANCE}.2", last)]


def test_what_nobody_told_of_is_adopted_when_asked(
    engine: Engine, intake: Intake, spool: Spool, tmp_path: Path
) -> None:
    with working(intake):
        arrived(intake, _put(spool, radiograph(), tmp_path))
        wait_until(lambda: _recorded(engine), "the first file to be recorded")
        untold = _put(spool, radiograph(f"{INSTANCE}.2"), tmp_path)
        intake.adopt_again()
        wait_until(lambda: len(_recorded(engine)) == 2, "the other to be found")
    assert untold in {name for _, name in _recorded(engine)}


def test_events_and_adoption_may_name_the_same_files(
    engine: Engine, intake: Intake, spool: Spool, tmp_path: Path
) -> None:
    names = [_put(spool, radiograph(f"{INSTANCE}.{n:03}"), tmp_path) for n in range(2 * BATCH)]
    with working(intake):
        for number, name in enumerate(names):
            arrived(intake, name)
            if number % 16 == 0:
                intake.adopt_again()
        wait_until(lambda: not _left(engine, spool), "the spool to be taken in")
    assert sorted(name for _, name in _recorded(engine)) == names
    assert list(spool.names()) == names


@pytest.mark.parametrize("sop_class", [Comprehensive3DSRStorage, SecondaryCaptureImageStorage])
def test_our_own_report_is_dropped_and_opens_nothing(
    engine: Engine,
    intake: Intake,
    spool: Spool,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    sop_class: str,
) -> None:
    caplog.set_level("INFO")
    report = radiograph(study="1.2.9", SOPClassUID=sop_class, DeviceSerialNumber=NODE)
    name, other = _put(spool, report, tmp_path), _put(spool, radiograph("1.3"), tmp_path)
    _take_in(intake, engine, spool, name, other)
    assert list(spool.names()) == [other]
    assert _state(engine, "1.2.9") is None
    assert f"our own report {INSTANCE} came back and is dropped" in caplog.text


def test_a_study_closes_by_the_steady_clock_whatever_the_wall_clock_does(
    engine: Engine, spool: Spool, tmp_path: Path
) -> None:
    """The times in the names, and so in the database, lie years ahead."""
    steady = _SteadyClock()
    intake = Intake(engine, spool, node=NODE, close_after_s=30, clock=steady)
    name = "20990101/000000.000000-0badcafe.dcm"
    spool.path(name).parent.mkdir()
    spool.path(_put(spool, radiograph(), tmp_path)).rename(spool.path(name))
    with working(intake):
        wait_until(lambda: _state(engine) == "open", "the study to open")
        wait_until(lambda: steady.looks > 2, "the study to be seen")
        steady.now += 30
        intake.adopt_again()
        wait_until(lambda: _state(engine) == "queued", "the study to close")


class _SteadyClock:
    """A monotonic clock that a test moves; it counts how often it is looked at."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.now


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
    bad = _put(spool, radiograph(study="1.2.9", PatientID=endless), tmp_path)
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
    carried = _put(spool, radiograph(), tmp_path)
    later = _put(spool, radiograph("1.2.9.1.1", study="1.2.9"), tmp_path)
    arrived(intake, carried, association=1, study=STUDY)
    with working(intake):
        arrived(intake, later)
        wait_until(lambda: _state(engine, "1.2.9") == "queued", "the later study to close")
        assert _state(engine) == "open"
        ended(intake, 1)
        wait_until(lambda: _state(engine) == "queued", "the study to close after the release")


def test_a_study_on_two_associations_waits_for_both(
    engine: Engine, intake: Intake, spool: Spool, tmp_path: Path
) -> None:
    carried = _put(spool, radiograph(), tmp_path)
    later = _put(spool, radiograph("1.2.9.1.1", study="1.2.9"), tmp_path)
    for number in (1, 2):
        arrived(intake, carried, association=number, study=STUDY)
    with working(intake):
        ended(intake, 1)
        ended(intake, 1)
        arrived(intake, later)
        wait_until(lambda: _state(engine, "1.2.9") == "queued", "the later study to close")
        assert _state(engine) == "open"
        ended(intake, 2)
        wait_until(lambda: _state(engine) == "queued", "the study to close")


def test_a_late_image_opens_its_study_again(
    engine: Engine, intake: Intake, spool: Spool, tmp_path: Path
) -> None:
    first = _put(spool, radiograph(), tmp_path)
    with working(intake):
        arrived(intake, first)
        wait_until(lambda: _state(engine) == "queued", "the study to close")
        arrived(intake, _put(spool, radiograph(f"{INSTANCE}.2"), tmp_path))
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
            arrived(intake, name)
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
