"""Counts and ages against rows that were laid out by hand."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from storage import figures, spaces
from storage.queue import JOBS
from tests.storage.laid_out import SPACE, lay_instance, lay_job, lay_study, lay_vectors
from tests.storage.made import NODE, NOON, space


def _after_noon(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def _seconds(engine: Engine, after: int = 0, node: str = NODE) -> list[float]:
    with engine.connect() as connection:
        return figures.made_searchable(connection, node=node, after=after).seconds


def test_studies_are_counted_by_state_for_one_node(engine: Engine) -> None:
    with engine.begin() as connection:
        for number, state in enumerate(["open", "open", "queued", "failed"]):
            lay_study(connection, f"1.{number}", state=state)
        lay_study(connection, "2.1", node="another")
        counts = figures.studies_by_state(connection, node=NODE)
    assert counts == {"open": 2, "queued": 1, "failed": 1}


def test_a_queue_is_counted_by_state_and_its_oldest_due_row_aged(engine: Engine) -> None:
    with engine.begin() as connection:
        study = lay_study(connection, "1.1")
        lay_job(connection, study, state="queued", due_in_s=-90)
        lay_job(connection, study, state="queued", due_in_s=-10)
        lay_job(connection, study, state="queued", due_in_s=500)
        lay_job(connection, study, state="failed", due_in_s=-999)
        lay_job(connection, study, state="done", due_in_s=-999)
        counts = figures.queue_by_state(connection, JOBS, node=NODE)
        assert counts == {"queued": 3, "failed": 1, "done": 1}
        assert figures.oldest_due_s(connection, JOBS, node=NODE) == 90.0
        assert figures.oldest_due_s(connection, JOBS, node="another") == 0.0


def test_a_row_whose_lease_ran_out_is_due(engine: Engine) -> None:
    with engine.begin() as connection:
        lay_job(connection, lay_study(connection, "1.1"), state="queued", due_in_s=-20)
        JOBS.claim(connection, node=NODE, lease_s=60)
        assert figures.oldest_due_s(connection, JOBS, node=NODE) == 0.0
        connection.execute(text("UPDATE jobs SET lease_until = now() - interval '1 s'"))
        assert figures.oldest_due_s(connection, JOBS, node=NODE) == 20.0


def test_only_live_vectors_are_counted(engine: Engine) -> None:
    with engine.begin() as connection:
        spaces.use(connection, space(3, "empty"))
        study = lay_study(connection, "1.1")
        lay_vectors(connection, study, NOON, count=2)
        lay_vectors(connection, study, NOON)
        counts = figures.embeddings_by_space(connection)
    assert counts == {SPACE.id: 1, "space-empty": 0}


def test_a_study_is_searchable_once_it_has_vectors(engine: Engine) -> None:
    with engine.begin() as connection:
        lay_study(connection, "1.1")
        lay_vectors(connection, lay_study(connection, "1.2"), _after_noon(12.5), count=2)
    assert _seconds(engine) == [12.5]
    assert _seconds(engine, node="another") == []


def test_nothing_is_told_twice(engine: Engine) -> None:
    with engine.begin() as connection:
        lay_vectors(connection, lay_study(connection, "1.1"), _after_noon(3))
        first = figures.made_searchable(connection, node=NODE, after=0)
        assert figures.newest_change(connection) == first.watermark
        lay_vectors(connection, lay_study(connection, "1.2"), _after_noon(4))
    assert first.seconds == [3]
    assert _seconds(engine, first.watermark) == [4]


def test_a_study_embedded_again_is_told_again_only_if_something_came(engine: Engine) -> None:
    with engine.begin() as connection:
        study = lay_study(connection, "1.1")
        lay_vectors(connection, study, _after_noon(3))
        first = figures.newest_change(connection)
        lay_vectors(connection, study, _after_noon(1000))
        again = figures.made_searchable(connection, node=NODE, after=first)
        lay_instance(connection, study, "1.1.1.2", _after_noon(2000))
        lay_vectors(connection, study, _after_noon(2007))
    assert again.seconds == []
    assert _seconds(engine, again.watermark) == [7]


def test_what_came_after_the_vectors_does_not_count(engine: Engine) -> None:
    with engine.begin() as connection:
        study = lay_study(connection, "1.1")
        lay_vectors(connection, study, _after_noon(3))
        lay_instance(connection, study, "1.1.1.2", _after_noon(10))
    assert _seconds(engine) == [3]


def test_many_changes_are_told_in_several_looks(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "MOST_CHANGES", 2)
    with engine.begin() as connection:
        for number in range(3):
            lay_vectors(connection, lay_study(connection, f"1.{number}"), _after_noon(number))
        first = figures.made_searchable(connection, node=NODE, after=0)
        second = figures.made_searchable(connection, node=NODE, after=first.watermark)
    assert sorted(first.seconds) == [0, 1]
    assert second == ([2], figures.MOST_CHANGES + 1)


def test_a_look_takes_a_bounded_time(engine: Engine) -> None:
    with figures.looking_engine(engine).connect() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "3s"
        connection.execute(text("SET statement_timeout = 10"))
        with pytest.raises(OperationalError, match="statement timeout"):
            connection.execute(text("SELECT pg_sleep(60)"))


def test_a_database_that_is_not_there_does_not_answer(engine: Engine) -> None:
    gone = create_engine(engine.url.set(database="no_such_database"))
    assert figures.answers(figures.looking_engine(engine))
    assert not figures.answers(figures.looking_engine(gone))
