"""Recording, closing and the states of a study."""

from datetime import timedelta

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from storage import studies
from storage.queue import JOBS
from storage.studies import Recorded
from tests.storage.made import NODE, NOON, received


def _close(connection: Connection, **changes: object) -> list[str]:
    arguments: dict[str, object] = {
        "received_by": NODE,
        "quiet_since": NOON,
        "still_carried": [],
        **changes,
    }
    return studies.close_due(connection, **arguments)  # type: ignore[arg-type]


def _state(connection: Connection, uid: str = "1.2.3") -> str:
    state = studies.state_of(connection, uid)
    assert state is not None
    return state.state


def test_a_new_instance_opens_its_study(engine: Engine) -> None:
    with engine.begin() as connection:
        done = studies.record(connection, received(), received_by=NODE)
        assert done == (Recorded.NEW, None)
        assert _state(connection) == "open"


def test_identical_bytes_change_nothing_and_free_the_new_file(engine: Engine) -> None:
    with engine.begin() as connection:
        studies.record(connection, received(), received_by=NODE)
        _close(connection)
        again = received(spool_name="20260301/other.dcm")
        done = studies.record(connection, again, received_by=NODE)
        assert done == (Recorded.IDENTICAL, "20260301/other.dcm")
        assert _state(connection) == "queued"


def test_a_file_adopted_twice_is_kept(engine: Engine) -> None:
    """Killed between commit and the next step, the node finds its own recorded file again."""
    with engine.begin() as connection:
        studies.record(connection, received(), received_by=NODE)
        done = studies.record(connection, received(), received_by=NODE)
        assert done == (Recorded.IDENTICAL, None)


def test_other_bytes_replace_the_instance_and_reopen_the_study(engine: Engine) -> None:
    with engine.begin() as connection:
        studies.record(connection, received(sha256="aa"), received_by=NODE)
        _close(connection)
        done = studies.record(connection, received(sha256="bb"), received_by=NODE)
        assert done == (Recorded.REPLACED, "20260301/1.2.3.1.1-aa.dcm")
        assert _state(connection) == "open"
        state = studies.state_of(connection, "1.2.3")
        assert state is not None
        stored = studies.instances(connection, state.id)
        assert [entry.spool_name for entry in stored] == ["20260301/1.2.3.1.1-bb.dcm"]


def test_a_study_closes_only_when_quiet_and_not_carried(engine: Engine) -> None:
    with engine.begin() as connection:
        studies.record(connection, received(at=NOON), received_by=NODE)
        assert _close(connection, quiet_since=NOON - timedelta(seconds=1)) == []
        assert _close(connection, still_carried=["1.2.3"]) == []
        assert _close(connection, received_by="another node") == []
        assert _close(connection) == ["1.2.3"]
        assert _close(connection) == []


def test_each_instance_restarts_the_timer(engine: Engine) -> None:
    later = NOON + timedelta(seconds=9)
    with engine.begin() as connection:
        studies.record(connection, received(at=NOON), received_by=NODE)
        studies.record(connection, received(instance="1.2.3.1.2", at=later), received_by=NODE)
        assert studies.oldest_open(connection, received_by=NODE, still_carried=[]) == later
        assert _close(connection, quiet_since=NOON) == []


def test_closing_queues_one_job_for_the_node_that_holds_the_files(engine: Engine) -> None:
    with engine.begin() as connection:
        studies.record(connection, received(), received_by=NODE)
        assert studies.close_now(connection, "1.2.3")
        assert not studies.close_now(connection, "1.2.3")
        assert JOBS.claim(connection, node="another node", lease_s=60) is None
        job = JOBS.claim(connection, node=NODE, lease_s=60)
        assert job is not None
        assert JOBS.claim(connection, node=NODE, lease_s=60) is None


def test_late_images_keep_a_study_open_though_its_first_work_ends(engine: Engine) -> None:
    with engine.begin() as connection:
        studies.record(connection, received(), received_by=NODE)
        studies.close_now(connection, "1.2.3")
        job = JOBS.claim(connection, node=NODE, lease_s=60)
        assert job is not None
        studies.record(connection, received(instance="1.2.3.1.2"), received_by=NODE)
        studies.mark_indexed(connection, job.study_id)
        assert _state(connection) == "open"
        studies.close_now(connection, "1.2.3")
        state = studies.state_of(connection, "1.2.3")
        assert state is not None
        assert (state.state, state.revision) == ("queued", 2)


def test_a_failed_study_keeps_its_reason_until_it_is_retried(engine: Engine) -> None:
    with engine.begin() as connection:
        studies.record(connection, received(), received_by=NODE)
        studies.close_now(connection, "1.2.3")
        job = JOBS.claim(connection, node=NODE, lease_s=60)
        assert job is not None
        studies.mark_failed(connection, job.study_id, "no pixels")
        JOBS.failed(connection, job.id, "no pixels")
        assert [entry.reason for entry in studies.failed(connection)] == ["no pixels"]
        assert studies.retry(connection, None) == ["1.2.3"]
        assert studies.failed(connection) == []
        assert JOBS.claim(connection, node=NODE, lease_s=60) is not None


def test_only_names_unknown_to_the_database_are_left_to_record(engine: Engine) -> None:
    with engine.begin() as connection:
        studies.record(connection, received(spool_name="a"), received_by=NODE)
        assert studies.unrecorded(connection, ["a", "b"]) == {"b"}
        assert studies.unrecorded(connection, []) == set()
