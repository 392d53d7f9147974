"""A study that becomes another patient's, another revision, or nobody's while it is asked with."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from dicom_node import answering
from dicom_node.reporting import Reporting, Standing, UnknownStudyError
from dicom_node.settings import Peer, ReportSettings, Settings
from storage import studies
from storage.answer import StudyRecord
from storage.index import VectorIndex
from tests.dicom_node.archive_of_made import STUDIES, count_of, made_archive, set_state
from tests.storage.made import NODE, row_of, space
from tests.waiting import wait_until

FIRST = STUDIES[0]
CORRECTED = text(
    "UPDATE studies SET patient_id = 'CORRECT', revision = revision + 1 "
    "WHERE study_instance_uid = :uid"
)
PEERS = (
    Peer(name="cr", ae_title="CR1", reports_to="pacs"),
    Peer(name="pacs", ae_title="PACS", host="127.0.0.1", port=1),
)


def _is_waited_for(engine: Engine) -> bool:
    """Whether somebody waits for a lock in this database."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with engine.connect() as connection:
        return bool(connection.execute(waiting).scalar_one())


@contextmanager
def _changed_meanwhile(engine: Engine) -> Iterator[Connection]:
    """Changes to a study that are there once it has been asked with, and before it is held."""
    with engine.begin() as connection:
        yield connection
        wait_until(lambda: _is_waited_for(engine), "the study is to be held")


def _make(reporting: Reporting, found: list[Standing | Exception]) -> None:
    try:
        found.append(reporting.make(FIRST, asked_by="test"))
    except UnknownStudyError as fault:
        found.append(fault)


def _made_while(engine: Engine, reporting: Reporting, change: Any) -> Standing | Exception:
    found: list[Standing | Exception] = []
    thread = threading.Thread(target=_make, args=(reporting, found))
    with _changed_meanwhile(engine) as connection:
        connection.execute(change, {"uid": FIRST})
        thread.start()
    thread.join()
    return found[0]


def test_a_study_that_another_patient_got_meanwhile_is_asked_with_anew(
    engine: Engine, tmp_path: Path
) -> None:
    reporting = made_archive(engine, tmp_path)
    standing = _made_while(engine, reporting, CORRECTED)
    assert isinstance(standing, Standing)
    assert standing.report is not None
    dataset = pydicom.dcmread(BytesIO(reporting.file_of(standing.report)))
    assert (dataset.PatientID, standing.report.revision) == ("CORRECT", 2)
    assert reporting.newest(FIRST).report == standing.report
    assert count_of(engine, "reports") == 1
    assert count_of(engine, "queries") == 2  # both were searched for


def test_a_study_that_came_again_meanwhile_is_not_reported_on(
    engine: Engine, tmp_path: Path
) -> None:
    reporting = made_archive(engine, tmp_path)
    reopened = text("UPDATE studies SET state = 'open' WHERE study_instance_uid = :uid")
    standing = _made_while(engine, reporting, reopened)
    assert isinstance(standing, Standing)
    assert (standing.study.state, standing.report, standing.is_new) == ("open", None, False)
    assert count_of(engine, "reports") == 0


def test_a_study_that_was_deleted_meanwhile_is_unknown(engine: Engine, tmp_path: Path) -> None:
    reporting = made_archive(engine, tmp_path)
    deleted = text("DELETE FROM studies WHERE study_instance_uid = :uid")
    fault = _made_while(engine, reporting, deleted)
    assert str(fault) == f"study {FIRST} is not in this archive"


def _begin_work(connection: Connection) -> StudyRecord:
    """The study as a worker reads it that is to answer CR1."""
    set_state(connection, FIRST, "queued")
    return studies.load(connection, row_of(connection, FIRST))


def _answer(connection: Connection, study: StudyRecord, folder: Path) -> None:
    index = VectorIndex(space().id, 4)
    index.catch_up(connection)
    answering.answer_senders(
        connection,
        study,
        index=index,
        space=space(),
        settings=Settings(data_folder=folder, peers=PEERS, report=ReportSettings(picture=False)),
        node=NODE,
    )


@pytest.mark.parametrize("change", ["patient_id = 'CORRECT'", "revision = 2", "sex = 'M'", None])
def test_a_worker_answers_only_about_the_study_that_it_began_with(
    engine: Engine, tmp_path: Path, change: str | None
) -> None:
    """What changed since is closed once more, and answered then."""
    made_archive(engine, tmp_path)
    with engine.begin() as connection:
        study = _begin_work(connection)
        if change is not None:
            connection.execute(text(f"UPDATE studies SET {change} WHERE id = {study.id}"))
        _answer(connection, study, tmp_path)
    expected = 1 if change is None else 0
    assert (count_of(engine, "reports"), count_of(engine, "sends")) == (expected, expected)


def test_an_answer_is_kept_only_while_the_study_is_the_one_that_it_was_asked_with(
    engine: Engine, tmp_path: Path
) -> None:
    made_archive(engine, tmp_path)
    settings = Settings(data_folder=tmp_path, report=ReportSettings(picture=False))
    with engine.begin() as connection:
        index = VectorIndex(space().id, 4)
        index.catch_up(connection)
        row = row_of(connection, FIRST)
        answer = answering.ask(
            connection, index, row, space=space(), settings=settings, asked_by="test"
        )
        for query in (replace(answer.query, revision=0), replace(answer.query, id=0)):
            stale = replace(answer, query=query)
            kept = answering.keep_report(connection, stale, device_uid=NODE, settings=settings)
            assert kept is None
        assert answering.keep_report(connection, answer, device_uid=NODE, settings=settings)
