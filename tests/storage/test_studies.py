"""Closing, and the states of a study."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from storage import studies, study_work
from storage.queue import JOBS
from tests.storage.made import NODE, NOON, received, row_of


def _close(
    connection: Connection, at: datetime = NOON, *, uid: str = "1.2.3", node: str = NODE
) -> list[str]:
    return studies.close(connection, {uid: at}, received_by=node)


def _state(connection: Connection, uid: str = "1.2.3") -> str:
    state = studies.state_of(connection, uid)
    assert state is not None
    return state.state


def _claim(connection: Connection, node: str = NODE) -> tuple[int, int]:
    """The next job's row, and its study's."""
    job = JOBS.claim(connection, node=node, lease_s=60)
    assert job is not None
    return job.id, job.study_id


def test_a_study_closes_if_its_last_instance_is_still_the_same(engine: Engine) -> None:
    with engine.begin() as connection:
        studies.record(connection, received(at=NOON), received_by=NODE)
        assert studies.open_studies(connection, received_by=NODE) == {"1.2.3": NOON}
        assert studies.open_studies(connection, received_by="another node") == {}
        assert _close(connection, NOON - timedelta(microseconds=1)) == []
        assert _close(connection, uid="1.2.4") == []
        assert _close(connection, node="another node") == []
        assert _close(connection) == ["1.2.3"]
        assert _close(connection) == []
        assert studies.close(connection, {}, received_by=NODE) == []


@pytest.mark.parametrize("step_s", [9, -9])
def test_each_instance_restarts_the_timer(engine: Engine, step_s: int) -> None:
    """Also when the clock was stepped back between two."""
    later = NOON + timedelta(seconds=step_s)
    with engine.begin() as connection:
        studies.record(connection, received(at=NOON), received_by=NODE)
        studies.record(connection, received(instance="1.2.3.1.2", at=later), received_by=NODE)
        assert studies.open_studies(connection, received_by=NODE) == {"1.2.3": later}
        assert _close(connection, NOON) == []


def test_closing_queues_one_job_for_the_node_that_holds_the_files(engine: Engine) -> None:
    with engine.begin() as connection:
        studies.record(connection, received(), received_by=NODE)
        assert studies.close_now(connection, "1.2.3")
        assert not studies.close_now(connection, "1.2.3")
        assert JOBS.claim(connection, node="another node", lease_s=60) is None
        _claim(connection)
        assert JOBS.claim(connection, node=NODE, lease_s=60) is None


def test_a_study_that_moved_on_to_another_node_is_worked_there(engine: Engine) -> None:
    with engine.begin() as connection:
        studies.record(connection, received(), received_by="another node")
        studies.record(connection, received(instance="1.2.3.1.2"), received_by=NODE)
        assert _close(connection, node="another node") == []
        assert _close(connection) == ["1.2.3"]
        assert JOBS.claim(connection, node="another node", lease_s=60) is None
        _claim(connection)


def test_late_images_keep_a_study_open_though_its_first_work_ends(engine: Engine) -> None:
    with engine.begin() as connection:
        studies.record(connection, received(), received_by=NODE)
        studies.close_now(connection, "1.2.3")
        job_id, study_id = _claim(connection)
        studies.record(connection, received(instance="1.2.3.1.2"), received_by=NODE)
        study_work.mark_worked(connection, study_id, job_id=job_id, to_be_found=True)
        assert _state(connection) == "open"
        studies.close_now(connection, "1.2.3")
        state = studies.state_of(connection, "1.2.3")
        assert state is not None
        assert (state.state, state.revision) == ("queued", 2)


def test_work_on_a_study_that_was_closed_once_more_ends_nothing(engine: Engine) -> None:
    """Else its late files could be removed before they are worked, or stay failed after it."""
    with engine.begin() as connection:
        studies.record(connection, received(), received_by=NODE)
        studies.close_now(connection, "1.2.3")
        first, study_id = _claim(connection)
        assert not study_work.is_superseded(connection, study_id, job_id=first)
        studies.record(connection, received(instance="1.2.3.1.2"), received_by=NODE)
        studies.close_now(connection, "1.2.3")
        assert study_work.is_superseded(connection, study_id, job_id=first)
        study_work.mark_worked(connection, study_id, job_id=first, to_be_found=True)
        study_work.mark_failed(connection, study_id, "no pixels", job_id=first)
        assert _state(connection) == "queued"
        JOBS.done(connection, first)
        second, _ = _claim(connection)
        study_work.mark_worked(connection, study_id, job_id=second, to_be_found=True)
        assert _state(connection) == "indexed"


@pytest.mark.parametrize(("to_be_found", "state"), [(True, "indexed"), (False, "answered")])
def test_a_study_ends_indexed_or_answered(engine: Engine, to_be_found: bool, state: str) -> None:
    with engine.begin() as connection:
        studies.record(connection, received(), received_by=NODE)
        studies.close_now(connection, "1.2.3")
        job_id, study_id = _claim(connection)
        assert studies.count_done(connection, ["1.2.3"]) == 0
        study_work.mark_worked(connection, study_id, job_id=job_id, to_be_found=to_be_found)
        assert _state(connection) == state
        assert studies.count_by_state(connection) == {state: 1}
        assert studies.count_done(connection, ["1.2.3"]) == 1


def test_a_failed_study_keeps_its_reason_until_it_is_retried(engine: Engine) -> None:
    with engine.begin() as connection:
        studies.record(connection, received(), received_by=NODE)
        studies.close_now(connection, "1.2.3")
        job_id, study_id = _claim(connection)
        study_work.mark_failed(connection, study_id, "no pixels", job_id=job_id)
        JOBS.failed(connection, job_id, "no pixels")
        assert [entry.reason for entry in studies.failed(connection)] == ["no pixels"]
        assert studies.retry(connection, None) == ["1.2.3"]
        assert studies.failed(connection) == []
        assert JOBS.claim(connection, node=NODE, lease_s=60) is not None


def test_reasons_stand_beside_what_was_left_out_and_nowhere_else(engine: Engine) -> None:
    with engine.begin() as connection:
        for instance in ("1.1", "1.2"):
            studies.record(connection, received(instance=instance), received_by=NODE)
        row = row_of(connection, "1.2.3")
        study_work.keep_reasons(connection, row, {"1.1": "not the middle", "1.2": "blank"})
        study_work.keep_reasons(connection, row, {"1.1": "derived"})
        kept = {
            i.sop_instance_uid: i.left_out for i in study_work.instances(connection, row, node=NODE)
        }
        assert kept == {"1.1": "derived", "1.2": None}
        study_work.keep_reasons(connection, row, {})
        assert {i.left_out for i in study_work.instances(connection, row, node=NODE)} == {None}


def test_only_names_unknown_to_the_database_are_left_to_record(engine: Engine) -> None:
    with engine.begin() as connection:
        studies.record(connection, received(spool_name="a"), received_by=NODE)
        assert studies.unrecorded(connection, ["a", "b"]) == {"b"}
        assert studies.unrecorded(connection, []) == set()
