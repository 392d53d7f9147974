"""Readers' verdicts: the last word counts, each reader for himself, gone with the studies."""

import pytest
from sqlalchemy import Engine, text

from storage import feedback
from storage.feedback import FeedbackError, Verdict
from tests.storage.made import add_study, space, unit


@pytest.fixture
def archive(engine: Engine) -> Engine:
    """Two studies."""
    with engine.begin() as connection:
        for uid in ("1.1", "1.2"):
            add_study(connection, space(), uid, [unit(1, 0, 0, 0)])
    return engine


def _give(engine: Engine, verdict: Verdict, reader: str = "http:orthanc/ann") -> None:
    with engine.begin() as connection:
        feedback.give(
            connection,
            query="1.1",
            hit="1.2",
            verdict=verdict,
            given_by=reader,
            space_id="s",
            rank=3,
            filters={"sex": "F"},
        )


def _said(engine: Engine, reader: str = "http:orthanc/ann") -> dict[str, Verdict]:
    with engine.connect() as connection:
        return feedback.on_hits_of(connection, "1.1", given_by=reader)


def test_the_last_verdict_of_a_reader_counts(archive: Engine) -> None:
    _give(archive, "similar")
    _give(archive, "not similar")
    assert _said(archive) == {"1.2": "not similar"}
    with archive.connect() as connection:
        rows = connection.execute(text("SELECT rank, filters, space_id FROM feedback")).all()
    assert [tuple(row) for row in rows] == [(3, {"sex": "F"}, "s")]


def test_readers_do_not_see_or_undo_each_others_verdicts(archive: Engine) -> None:
    _give(archive, "similar")
    _give(archive, "not similar", "http:orthanc/bob")
    with archive.begin() as connection:
        feedback.take_back(connection, query="1.1", hit="1.2", given_by="http:orthanc/bob")
    assert (_said(archive), _said(archive, "http:orthanc/bob")) == ({"1.2": "similar"}, {})


def test_a_verdict_goes_with_either_study(archive: Engine) -> None:
    _give(archive, "similar")
    with archive.begin() as connection:
        connection.execute(text("DELETE FROM embeddings"))
        connection.execute(text("DELETE FROM studies WHERE study_instance_uid = '1.2'"))
        assert connection.execute(text("SELECT count(*) FROM feedback")).scalar_one() == 0


@pytest.mark.parametrize(("query", "hit"), [("1.1", "1.9"), ("1.9", "1.1")])
def test_a_study_that_is_not_here_cannot_be_judged(archive: Engine, query: str, hit: str) -> None:
    with archive.begin() as connection:
        with pytest.raises(FeedbackError, match=r"1\.9 is not in this archive"):
            feedback.give(connection, query=query, hit=hit, verdict="similar", given_by="ann")
        with pytest.raises(FeedbackError, match=r"1\.9 is not in this archive"):
            feedback.take_back(connection, query=query, hit=hit, given_by="ann")
