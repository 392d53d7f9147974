"""Reports as they were made, and their way to the peers that are to have them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, exists, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from storage.database import notify
from storage.queue import SENDS
from storage.tables import Report, Send, Study

_UNSENT = {"state": "queued", "attempts": 0} | dict.fromkeys(
    ("reason", "finished_at", "taken", "commitment", "commitment_asked_at", "transaction_uid")
)


@dataclass(frozen=True, kw_only=True)
class NewReport:
    """A report's DICOM file and what names it, and the file of its picture if it has one."""

    study_id: int
    revision: int
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    dicom: bytes
    picture_sop_instance_uid: str | None = None
    picture_dicom: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class StoredReport(NewReport):
    """A report that is kept, by its row."""

    id: int
    study_instance_uid: str


def add(connection: Connection, report: NewReport) -> int:
    """Keeps a report, byte for byte; returns its row."""
    return connection.execute(
        insert(Report).values(**asdict(report)).returning(Report.id)
    ).scalar_one()


def send_to(connection: Connection, report_id: int, *, peer: str, node: str) -> None:
    """Queues a report for a peer, by the peer's name in the settings of ``node``.

    A report that is queued for the peer already, or was sent, goes there again.
    """
    connection.execute(
        upsert(Send)
        .values(report_id=report_id, peer=peer, node=node)
        .on_conflict_do_update(
            index_elements=[Send.report_id, Send.peer],
            set_={**_UNSENT, "run_after": func.now()},
            where=Send.state.in_(("done", "failed")),
        )
    )
    notify(connection, SENDS.topic)


@dataclass(frozen=True, kw_only=True)
class SendState:
    """How far a report has come on its way to a peer; the words are those of ``tables.Send``."""

    peer: str
    state: str
    attempts: int
    reason: str | None
    taken: Sequence[Mapping[str, str]] | None
    commitment: str | None


def sends_of(connection: Connection, report_id: int) -> list[SendState]:
    """The sends of a report, in the order in which they were first queued."""
    columns = (getattr(Send, field.name) for field in fields(SendState))
    rows = connection.execute(select(*columns).where(Send.report_id == report_id).order_by(Send.id))
    return [SendState(**row._asdict()) for row in rows]


def hold_study(connection: Connection, study_id: int) -> None:
    """Until the transaction ends nobody closes the study, nor holds it to make a report."""
    connection.execute(
        select(Study.id).where(Study.id == study_id).with_for_update(key_share=True)
    ).one()


def load(connection: Connection, report_id: int) -> StoredReport:
    """A report by its row."""
    return StoredReport(
        **connection.execute(_columns().where(Report.id == report_id)).one()._asdict()
    )


def latest(connection: Connection, study_id: int) -> StoredReport | None:
    """The newest report of a study; None if none was made."""
    row = connection.execute(
        _columns().where(Report.study_id == study_id).order_by(Report.id.desc()).limit(1)
    ).one_or_none()
    return None if row is None else StoredReport(**row._asdict())


def drop_pictures(connection: Connection, *, older_than: timedelta) -> int:
    """Removes pictures that were made so long ago and are needed for no send; returns how many.

    A picture may still be needed while its report waits to be sent, was given up (somebody may
    ask for a retry), or its peer has not promised yet to keep it.
    """
    needed = exists().where(
        Send.report_id == Report.id,
        or_(Send.state != "done", Send.commitment.in_(("wanted", "asked"))),
    )
    return connection.execute(
        update(Report)
        .where(
            Report.picture_dicom.is_not(None), Report.created_at <= func.now() - older_than, ~needed
        )
        .values(picture_dicom=None)
    ).rowcount


def count(connection: Connection) -> int:
    """How many reports were made."""
    return connection.execute(select(func.count()).select_from(Report)).scalar_one()


def _columns() -> Select[*tuple[Any, ...]]:
    names = [field.name for field in fields(NewReport)]
    return select(
        Report.id,
        Study.study_instance_uid,
        *(getattr(Report, name) for name in names),
    ).join(Study, Study.id == Report.study_id)
