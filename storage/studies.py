"""Studies on their way: what arrives of them, closing, and where each one stands."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Row, Select, Text, cast, func, insert, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Connection

from storage.answer import StudyRecord
from storage.database import notify
from storage.queue import JOBS
from storage.recording import Recorded, record, record_all
from storage.tables import Instance, Job, Study

__all__ = [
    "Recorded",
    "StudyState",
    "close",
    "close_now",
    "count_by_state",
    "count_done",
    "failed",
    "load",
    "open_studies",
    "record",
    "record_all",
    "retry",
    "state_by_id",
    "state_of",
    "study_columns",
    "study_record",
    "unrecorded",
]

NAMES_AT_ONCE = 10_000
TIMES = ARRAY(DateTime(timezone=True))


def unrecorded(connection: Connection, spool_names: Sequence[str]) -> set[str]:
    """Those of ``spool_names`` that the database does not know yet."""
    left = set(spool_names)
    for start in range(0, len(spool_names), NAMES_AT_ONCE):
        names = list(spool_names[start : start + NAMES_AT_ONCE])
        known = connection.execute(
            select(Instance.spool_name).where(Instance.spool_name == func.any(names))
        )
        left.difference_update(known.scalars())
    return left


def open_studies(connection: Connection, *, received_by: str) -> dict[str, datetime]:
    """This node's open studies, by UID, each with when its last instance came."""
    rows = connection.execute(
        select(Study.study_instance_uid, Study.last_received_at).where(
            Study.state == "open", Study.received_by == received_by
        )
    )
    return {row.study_instance_uid: row.last_received_at for row in rows}


def close(connection: Connection, quiet: Mapping[str, datetime], *, received_by: str) -> list[str]:
    """Closes this node's open studies whose last instance is still the one of that time.

    Returns the Study Instance UIDs closed.
    """
    if not quiet:
        return []
    seen = (
        func.unnest(cast(list(quiet), ARRAY(Text)), cast(list(quiet.values()), TIMES))
        .table_valued("uid", "at")
        .render_derived()
    )
    closed = connection.execute(
        update(Study)
        .where(
            Study.study_instance_uid == seen.c.uid,
            Study.last_received_at == seen.c.at,
            Study.state == "open",
            Study.received_by == received_by,
        )
        .values(state="queued", closed_at=func.now(), revision=Study.revision + 1)
        .returning(Study.id, Study.study_instance_uid)
    ).all()
    _enqueue(connection, [row.id for row in closed])
    return sorted(row.study_instance_uid for row in closed)


def close_now(connection: Connection, study_instance_uid: str) -> bool:
    """Closes one open study by hand; False if there is no open study of that UID."""
    closed = connection.execute(
        update(Study)
        .where(Study.state == "open", Study.study_instance_uid == study_instance_uid)
        .values(state="queued", closed_at=func.now(), revision=Study.revision + 1)
        .returning(Study.id)
    ).scalar_one_or_none()
    if closed is not None:
        _enqueue(connection, [closed])
    return closed is not None


def retry(connection: Connection, study_instance_uid: str | None) -> list[str]:
    """Queues failed studies again: one, or all where no UID is given. Returns their UIDs."""
    statement = update(Study).where(Study.state == "failed").values(state="queued", reason=None)
    if study_instance_uid is not None:
        statement = statement.where(Study.study_instance_uid == study_instance_uid)
    rows = connection.execute(statement.returning(Study.id, Study.study_instance_uid)).all()
    _enqueue(connection, [row.id for row in rows])
    return [row.study_instance_uid for row in rows]


def _enqueue(connection: Connection, study_ids: list[int]) -> None:
    """One job for each study, at the node that received it last."""
    if not study_ids:
        return
    connection.execute(
        update(Job)
        .where(Job.study_id == Study.id, Study.id.in_(study_ids))
        .where(Job.state == "queued", Job.node != Study.received_by)
        .values(state="done", finished_at=func.now())
    )
    waiting = select(Job.study_id).where(Job.state == "queued")
    connection.execute(
        insert(Job).from_select(
            ["study_id", "node"],
            select(Study.id, Study.received_by).where(
                Study.id.in_(study_ids), Study.id.not_in(waiting)
            ),
        )
    )
    notify(connection, JOBS.topic)


@dataclass(frozen=True)
class StudyState:
    """Where a study stands, as ``likeness status`` and the HTTP service show it."""

    id: int
    study_instance_uid: str
    state: str
    reason: str | None
    revision: int
    calling_ae: str


def state_of(connection: Connection, study_instance_uid: str) -> StudyState | None:
    """Where a study stands; None if it never came."""
    row = connection.execute(
        _states().where(Study.study_instance_uid == study_instance_uid)
    ).one_or_none()
    return None if row is None else StudyState(**row._asdict())


def state_by_id(connection: Connection, study_id: int) -> StudyState:
    """Where a study stands, by its row."""
    return StudyState(**connection.execute(_states().where(Study.id == study_id)).one()._asdict())


def failed(connection: Connection) -> list[StudyState]:
    """The studies set aside, oldest first."""
    rows = connection.execute(_states().where(Study.state == "failed").order_by(Study.id))
    return [StudyState(**row._asdict()) for row in rows]


def _states() -> Select[*tuple[Any, ...]]:
    return select(
        Study.id,
        Study.study_instance_uid,
        Study.state,
        Study.reason,
        Study.revision,
        Study.calling_ae,
    )


def count_by_state(connection: Connection) -> dict[str, int]:
    """How many studies stand in each state."""
    rows = connection.execute(select(Study.state, func.count()).group_by(Study.state))
    return dict(rows.all())


def count_done(connection: Connection, study_instance_uids: Collection[str]) -> int:
    """How many of these studies are at the end of their way, well or not."""
    return connection.execute(
        select(func.count()).where(
            Study.study_instance_uid == func.any(list(study_instance_uids)),
            Study.state.in_(("indexed", "answered", "failed")),
        )
    ).scalar_one()


def load(connection: Connection, study_id: int) -> StudyRecord:
    """A study's record, by its row."""
    row = connection.execute(study_columns().where(Study.id == study_id)).one()
    return study_record(row)


_STUDY_FIELDS = tuple(field.name for field in fields(StudyRecord))


def study_columns() -> Select[*tuple[Any, ...]]:
    """Selects the columns that ``study_record`` reads, to which a query may add its own."""
    return select(*(getattr(Study, name) for name in _STUDY_FIELDS))


def study_record(row: Row[Any]) -> StudyRecord:
    """The study in a row of ``study_columns``."""
    return StudyRecord(**{name: getattr(row, name) for name in _STUDY_FIELDS})
