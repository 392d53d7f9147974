"""Studies on their way: recording what arrived, closing, and where each one stands."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import Row, Select, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from storage.answer import StudyRecord
from storage.database import notify
from storage.queue import JOBS
from storage.tables import Instance, Job, Series, Study


@dataclass(frozen=True, kw_only=True)
class ReceivedInstance:
    """A SOP instance as intake read it from the spool; ``header`` is an ImageHeader as JSON.

    ``header`` is None for an instance that shows nothing to embed, and ``left_out`` says why.
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    modality: str
    series_description: str | None
    patient_id: str
    issuer_of_patient_id: str
    sex: str | None
    age: int | None
    study_date: str | None
    description: str | None
    attributes: Mapping[str, Any]
    header: Mapping[str, Any] | None
    left_out: str | None
    spool_name: str
    sha256: str
    size_bytes: int
    calling_ae: str
    received_at: datetime


class Recorded(Enum):
    """What recording an instance did."""

    NEW = "new"
    IDENTICAL = "identical"
    """The same bytes under the same SOP Instance UID were here already: nothing changed."""
    REPLACED = "replaced"
    """Other bytes came under a known SOP Instance UID: the study is worked again."""
    OUTDATED = "outdated"
    """Other bytes are here that came later: nothing changed."""


@dataclass(frozen=True)
class StoredInstance:
    """What a worker needs of an instance: its header facts and its file's name in the spool."""

    sop_instance_uid: str
    spool_name: str
    header: Mapping[str, Any] | None
    left_out: str | None


def record(
    connection: Connection, received: ReceivedInstance, *, received_by: str
) -> tuple[Recorded, str | None]:
    """Records an instance and reopens its study, unless the very same bytes are here already.

    Returns what was done, and the spool name that is needed no longer: the new file's for an
    identical duplicate or an outdated one, the old file's for a replaced one.
    """
    known = connection.execute(
        select(Instance.spool_name, Instance.sha256, Instance.received_at).where(
            Instance.sop_instance_uid == received.sop_instance_uid
        )
    ).one_or_none()
    if known is not None and known.sha256 == received.sha256:
        # Adopted twice under one name (killed between commit and acknowledgement to intake):
        # the file is the recorded one and must stay.
        surplus = None if known.spool_name == received.spool_name else received.spool_name
        return Recorded.IDENTICAL, surplus
    if known is not None and known.received_at > received.received_at:
        # The replaced file was still to be removed when the node was killed, and is found again.
        return Recorded.OUTDATED, received.spool_name
    if known is not None:
        connection.execute(
            delete(Instance).where(Instance.sop_instance_uid == received.sop_instance_uid)
        )
    study_id = _open_study(connection, received, received_by)
    series_id = _series(connection, study_id, received)
    _insert_instance(connection, series_id, received)
    return (Recorded.NEW, None) if known is None else (Recorded.REPLACED, known.spool_name)


def _open_study(connection: Connection, received: ReceivedInstance, received_by: str) -> int:
    facts = {
        "patient_id": received.patient_id,
        "issuer_of_patient_id": received.issuer_of_patient_id,
        "sex": received.sex,
        "age": received.age,
        "study_date": received.study_date,
        "description": received.description,
        "attributes": dict(received.attributes),
        "calling_ae": received.calling_ae,
        "received_by": received_by,
        "state": "open",
        "reason": None,
    }
    statement = upsert(Study).values(
        study_instance_uid=received.study_instance_uid,
        first_received_at=received.received_at,
        last_received_at=received.received_at,
        **facts,
    )
    statement = statement.on_conflict_do_update(
        index_elements=[Study.study_instance_uid],
        set_={
            **facts,
            "last_received_at": func.greatest(Study.last_received_at, received.received_at),
        },
    )
    return connection.execute(statement.returning(Study.id)).scalar_one()


def _series(connection: Connection, study_id: int, received: ReceivedInstance) -> int:
    statement = upsert(Series).values(
        study_id=study_id,
        series_instance_uid=received.series_instance_uid,
        modality=received.modality,
        description=received.series_description,
    )
    statement = statement.on_conflict_do_update(
        index_elements=[Series.study_id, Series.series_instance_uid],
        set_={"modality": received.modality, "description": received.series_description},
    )
    return connection.execute(statement.returning(Series.id)).scalar_one()


def _insert_instance(connection: Connection, series_id: int, received: ReceivedInstance) -> None:
    connection.execute(
        insert(Instance).values(
            series_id=series_id,
            sop_instance_uid=received.sop_instance_uid,
            sop_class_uid=received.sop_class_uid,
            transfer_syntax_uid=received.transfer_syntax_uid,
            spool_name=received.spool_name,
            sha256=received.sha256,
            size_bytes=received.size_bytes,
            calling_ae=received.calling_ae,
            received_at=received.received_at,
            header=None if received.header is None else dict(received.header),
            left_out=received.left_out,
        )
    )


def unrecorded(connection: Connection, spool_names: Collection[str]) -> set[str]:
    """Those of ``spool_names`` that the database does not know yet."""
    known = connection.execute(
        select(Instance.spool_name).where(Instance.spool_name == func.any(list(spool_names)))
    )
    return set(spool_names) - set(known.scalars())


def close_due(
    connection: Connection,
    *,
    received_by: str,
    quiet_since: datetime,
    still_carried: Collection[str],
) -> list[str]:
    """Closes this node's studies for which nothing came after ``quiet_since``.

    ``still_carried`` are the studies of open associations; they stay open. Returns the Study
    Instance UIDs closed.
    """
    closed = connection.execute(
        update(Study)
        .where(
            Study.state == "open",
            Study.received_by == received_by,
            Study.last_received_at <= quiet_since,
            Study.study_instance_uid != func.all(list(still_carried)),
        )
        .values(state="queued", closed_at=func.now(), revision=Study.revision + 1)
        .returning(Study.id, Study.study_instance_uid)
    ).all()
    _enqueue(connection, [row.id for row in closed])
    return [row.study_instance_uid for row in closed]


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
    if not study_ids:
        return
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


def oldest_open(
    connection: Connection, *, received_by: str, still_carried: Collection[str]
) -> datetime | None:
    """When the quietest of this node's open studies last received something; None without one."""
    return connection.execute(
        select(func.min(Study.last_received_at)).where(
            Study.state == "open",
            Study.received_by == received_by,
            Study.study_instance_uid != func.all(list(still_carried)),
        )
    ).scalar_one()


def mark_indexed(connection: Connection, study_id: int) -> None:
    """Ends a study's way, unless late images have reopened it meanwhile."""
    connection.execute(
        update(Study)
        .where(Study.id == study_id, Study.state == "queued")
        .values(state="indexed", indexed_at=func.now(), reason=None)
    )


def mark_failed(connection: Connection, study_id: int, reason: str) -> None:
    """Sets a study aside with its reason, unless late images have reopened it meanwhile."""
    connection.execute(
        update(Study)
        .where(Study.id == study_id, Study.state == "queued")
        .values(state="failed", reason=reason)
    )


def instances(connection: Connection, study_id: int) -> list[StoredInstance]:
    """The study's instances, in the order of their SOP Instance UIDs."""
    rows = connection.execute(
        select(Instance.sop_instance_uid, Instance.spool_name, Instance.header, Instance.left_out)
        .join(Series, Instance.series_id == Series.id)
        .where(Series.study_id == study_id)
        .order_by(Instance.sop_instance_uid)
    )
    return [StoredInstance(**row._asdict()) for row in rows]


def keep_reasons(connection: Connection, reasons: Mapping[str, str]) -> None:
    """Writes beside each SOP instance why it was not embedded."""
    for sop_instance_uid, reason in reasons.items():
        connection.execute(
            update(Instance)
            .where(Instance.sop_instance_uid == sop_instance_uid)
            .values(left_out=reason)
        )


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
    """How many of these studies are at the end of their way, indexed or failed."""
    return connection.execute(
        select(func.count()).where(
            Study.study_instance_uid == func.any(list(study_instance_uids)),
            Study.state.in_(("indexed", "failed")),
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
