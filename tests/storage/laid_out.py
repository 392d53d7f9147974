"""Rows laid out by hand, in states and at times that the way of a study takes long to reach."""

from datetime import datetime, timedelta

from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import Connection

from storage import embeddings, spaces
from storage.embeddings import NewEmbedding
from storage.tables import Embedding, Instance, Job, Series, Study
from tests.storage.made import NODE, NOON, reference, space, unit

SPACE = space(2)


def lay_study(
    connection: Connection,
    uid: str,
    *,
    state: str = "open",
    node: str = NODE,
    received_at: datetime = NOON,
) -> int:
    """A study with one series and one instance; returns its row."""
    study_id = connection.execute(
        insert(Study)
        .values(study_instance_uid=uid, attributes={}, state=state, received_by=node)
        .returning(Study.id)
    ).scalar_one()
    connection.execute(
        insert(Series).values(study_id=study_id, series_instance_uid=f"{uid}.1", modality="CR")
    )
    lay_instance(connection, study_id, f"{uid}.1.1", received_at)
    return study_id


def lay_instance(
    connection: Connection, study_id: int, uid: str, received_at: datetime = NOON
) -> None:
    """One more instance of a study's series."""
    series_id = connection.execute(
        select(Series.id).where(Series.study_id == study_id)
    ).scalar_one()
    connection.execute(
        insert(Instance).values(
            series_id=series_id,
            sop_instance_uid=uid,
            sop_class_uid="1.2.840.10008.5.1.4.1.1.1",
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            spool_name=f"{uid}.dcm",
            sha256="aa",
            size_bytes=100,
            received_at=received_at,
        )
    )


def lay_job(connection: Connection, study_id: int, *, state: str, due_in_s: float) -> None:
    """A job that is, or was, due so many seconds from now."""
    connection.execute(
        insert(Job).values(
            study_id=study_id,
            node=NODE,
            state=state,
            run_after=func.now() + timedelta(seconds=due_in_s),
        )
    )


def lay_vectors(connection: Connection, study_id: int, made_at: datetime, count: int = 1) -> None:
    """The study's vectors, made anew at a time."""
    new = [
        NewEmbedding(reference(f"{study_id}.{number}"), unit(1, number), b"png", {})
        for number in range(count)
    ]
    spaces.use(connection, SPACE)
    embeddings.replace(connection, space=SPACE, study_id=study_id, new=new)
    connection.execute(
        update(Embedding)
        .where(Embedding.study_id == study_id, Embedding.retired_at.is_(None))
        .values(created_at=made_at)
    )
