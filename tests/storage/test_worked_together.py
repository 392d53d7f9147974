"""Several studies of a worker in one statement: claimed, superseded, replaced and ended."""

import numpy as np
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from storage import embeddings, spaces, studies, study_work
from storage.embeddings import NewEmbedding, StudyVectors, VectorError
from storage.queue import JOBS, SUSPECT
from tests.storage.made import NODE, received, reference, row_of, space, unit

THREE = ("1.1", "1.2", "1.3")


def _close(connection: Connection, *uids: str) -> dict[str, int]:
    """Studies with an image each, closed; their rows."""
    for uid in uids:
        arrived = received(uid, f"{uid}.1.1", sha256="aa")
        studies.record(connection, arrived, received_by=NODE)
        studies.close_now(connection, uid)
    return {uid: row_of(connection, uid) for uid in uids}


def _close_again(connection: Connection, uid: str, number: int = 2) -> None:
    studies.record(connection, received(uid, f"{uid}.1.{number}"), received_by=NODE)
    studies.close_now(connection, uid)


def _claimed(
    connection: Connection, *, most: int = 9, besides: tuple[int, ...] = (), suspects: bool = True
) -> list[tuple[int, int]]:
    jobs = study_work.claim(
        connection, node=NODE, lease_s=60, most=most, besides=besides, suspects=suspects
    )
    return [(job.id, job.study_id) for job in jobs]


def test_no_study_in_hand_is_claimed(engine: Engine) -> None:
    with engine.begin() as connection:
        rows = _close(connection, *THREE)
        found = _claimed(connection, besides=(rows["1.2"],))
        assert [study for _, study in found] == [rows["1.1"], rows["1.3"]]
        assert len(_claimed(connection)) == 1


@pytest.mark.parametrize("suspects", [True, False])
def test_suspects_are_claimed_only_where_they_are_wanted(engine: Engine, suspects: bool) -> None:
    with engine.begin() as connection:
        _close(connection, *THREE)
        connection.execute(
            text("UPDATE jobs SET reason = :suspect WHERE id = 2"), {"suspect": SUSPECT}
        )
        found = [job for job, _ in _claimed(connection, suspects=suspects)]
    assert found == ([1, 2, 3] if suspects else [1, 3])


def test_of_a_study_with_two_jobs_the_later_is_claimed_first_and_the_other_after_it(
    engine: Engine,
) -> None:
    """A first try failed while the study was closed again: both are due."""
    with engine.begin() as connection:
        _close(connection, "1.1")
        ((first, _),) = _claimed(connection)
        _close_again(connection, "1.1")
        connection.execute(text("UPDATE jobs SET state = 'queued'"))
        ((second, _),) = _claimed(connection)
        assert second > first
        assert _claimed(connection) == []
        JOBS.done(connection, second)
        assert [job for job, _ in _claimed(connection)] == [first]


def test_those_that_were_closed_again_are_told(engine: Engine) -> None:
    with engine.begin() as connection:
        rows = _close(connection, *THREE)
        jobs = {study: job for job, study in _claimed(connection)}
        _close_again(connection, "1.2")
        assert study_work.superseded(connection, jobs) == {rows["1.2"]}
        assert study_work.superseded(connection, {}) == set()
        study_work.mark_all_worked(connection, jobs, to_be_found=True)
        states = {uid: studies.state_of(connection, uid) for uid in THREE}
    assert {uid: state and state.state for uid, state in states.items()} == {
        "1.1": "indexed",
        "1.2": "queued",
        "1.3": "indexed",
    }


def test_each_study_is_taken_with_its_own_instances_and_callers(engine: Engine) -> None:
    with engine.begin() as connection:
        rows = _close(connection, *THREE)
        taken = study_work.take(connection, [rows["1.3"], rows["1.1"]], node=NODE)
    assert [study.record.study_instance_uid for study in taken] == ["1.1", "1.3"]
    assert [[i.sop_instance_uid for i in study.instances] for study in taken] == [
        ["1.1.1.1"],
        ["1.3.1.1"],
    ]
    assert [study.callers for study in taken] == [["CR1"], ["CR1"]]


def _new(instance: str, *numbers: float) -> NewEmbedding:
    return NewEmbedding(reference(instance), unit(*numbers), b"png", {"sha256": "aa"})


def test_vectors_of_several_studies_are_replaced_together(engine: Engine) -> None:
    with engine.begin() as connection:
        rows = _close(connection, *THREE)
        spaces.use(connection, space())
        first = [StudyVectors(rows[uid], [_new(f"{uid}.1.1", 1, 0, 0, 0)]) for uid in THREE]
        embeddings.replace_all(connection, space=space(), studies=first)
        made = embeddings.made_of_the_same(connection, space().id, list(rows.values()))
        kept = made[rows["1.1"]]["1.1.1.1", None]
        second = [
            StudyVectors(rows["1.1"], [], [kept]),
            StudyVectors(rows["1.2"], [_new("1.2.1.1", 0, 1, 0, 0)]),
            StudyVectors(rows["1.3"], []),
        ]
        embeddings.replace_all(connection, space=space(), studies=second)
        found = {
            uid: embeddings.of_study(connection, space_id=space().id, study_id=row)
            for uid, row in rows.items()
        }
        (batch,) = embeddings.changes(connection, space_id=space().id, after=0)
    assert [entry.id for entry in found["1.1"]] == [kept]
    np.testing.assert_array_equal(found["1.2"][0].vector, unit(0, 1, 0, 0))
    assert found["1.3"] == []
    assert len({change.change for change in batch}) == 4  # three rows first, then one more


def test_one_bad_vector_keeps_all_out(engine: Engine) -> None:
    with engine.begin() as connection:
        rows = _close(connection, *THREE)
        spaces.use(connection, space())
        bad = NewEmbedding(reference("1.2.1.1"), 2 * unit(1, 0, 0, 0), b"png", {})
        both = [
            StudyVectors(rows["1.1"], [_new("1.1.1.1", 1, 0, 0, 0)]),
            StudyVectors(rows["1.2"], [bad]),
        ]
        with pytest.raises(VectorError, match="length 2"):
            embeddings.replace_all(connection, space=space(), studies=both)
        assert embeddings.live_count(connection, space_id=space().id) == 0
