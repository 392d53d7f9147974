"""What readers say of hits: thumbs up or down, kept with the question that the hit answered."""

from collections.abc import Mapping
from typing import Literal, cast

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from storage.tables import Feedback, Study

Verdict = Literal["similar", "not similar"]


class FeedbackError(ValueError):
    """A verdict on a study that this archive does not hold; the message names it."""


def give(
    connection: Connection,
    *,
    query: str,
    hit: str,
    verdict: Verdict,
    given_by: str,
    space_id: str | None = None,
    rank: int | None = None,
    filters: Mapping[str, str] | None = None,
) -> None:
    """Keeps one reader's verdict on a hit, in place of what he said of it before.

    Args:
        connection: in a transaction.
        query: Study Instance UID of the study asked with.
        hit: Study Instance UID of the answer that is judged.
        verdict: whether the reader calls it similar.
        given_by: the reader, in the words of the audit.
        space_id: the space that answered.
        rank: the hit's rank, from 1.
        filters: what the question was narrowed to.

    Raises:
        FeedbackError: one of the two studies is not here.
    """
    said = {
        "verdict": verdict,
        "space_id": space_id,
        "rank": rank,
        "filters": dict(filters or {}),
    }
    pair = {"query_study_id": _row(connection, query), "hit_study_id": _row(connection, hit)}
    connection.execute(
        upsert(Feedback)
        .values(**pair, given_by=given_by, **said)
        .on_conflict_do_update(
            index_elements=[Feedback.query_study_id, Feedback.hit_study_id, Feedback.given_by],
            set_=said | {"given_at": func.now()},
        )
    )


def take_back(connection: Connection, *, query: str, hit: str, given_by: str) -> None:
    """Forgets a reader's verdict on a hit, if there is one.

    Raises:
        FeedbackError: one of the two studies is not here.
    """
    connection.execute(
        delete(Feedback).where(
            Feedback.query_study_id == _row(connection, query),
            Feedback.hit_study_id == _row(connection, hit),
            Feedback.given_by == given_by,
        )
    )


def on_hits_of(connection: Connection, query: str, *, given_by: str) -> dict[str, Verdict]:
    """What a reader said of the hits of a study: verdicts by the hits' Study Instance UIDs."""
    asked = select(Study.id).where(Study.study_instance_uid == query).scalar_subquery()
    rows = connection.execute(
        select(Study.study_instance_uid, Feedback.verdict)
        .join(Feedback, Feedback.hit_study_id == Study.id)
        .where(Feedback.query_study_id == asked, Feedback.given_by == given_by)
    )
    return {hit: cast("Verdict", verdict) for hit, verdict in rows}


def _row(connection: Connection, study_instance_uid: str) -> int:
    found = connection.execute(
        select(Study.id).where(Study.study_instance_uid == study_instance_uid)
    ).scalar_one_or_none()
    if found is None:
        raise FeedbackError(f"study {study_instance_uid} is not in this archive")
    return found
