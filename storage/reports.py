"""Reports as they were made, and their way to the peers that are to have them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import and_, exists, func, insert, or_, select, update
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
    """A report's DICOM file and what names it, and the file of its picture if it has one.

    ``privacy`` is the setting that both were made under, "identified" or "pseudonymous".
    """

    study_id: int
    revision: int
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    dicom: bytes
    picture_sop_instance_uid: str | None = None
    picture_dicom: bytes | None = None
    privacy: str = "identified"


@dataclass(frozen=True, kw_only=True)
class StoredReport(NewReport):
    """A report that is kept, by its row."""

    id: int
    study_instance_uid: str


@dataclass(frozen=True, kw_only=True)
class ReportName:
    """What names a report that is kept, without its files, of which the picture has megabytes.

    ``has_picture`` is true as long as the picture is kept; ``picture_sop_instance_uid`` stays.
    """

    id: int
    study_instance_uid: str
    revision: int
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    picture_sop_instance_uid: str | None
    privacy: str
    created_at: datetime
    has_picture: bool

    @property
    def lost_picture(self) -> bool:
        """True if it names a picture that is kept no longer."""
        return self.picture_sop_instance_uid is not None and not self.has_picture


def add(connection: Connection, report: NewReport) -> int:
    """Keeps a report, byte for byte; returns its row."""
    return connection.execute(
        insert(Report).values(**asdict(report)).returning(Report.id)
    ).scalar_one()


def send_to(
    connection: Connection, report_id: int, *, peer: str, node: str, again: bool = True
) -> None:
    """Queues a report for a peer, by the peer's name in the settings of ``node``.

    A report that was sent to the peer already, or waits to be, goes there again and at once,
    from ``node``; only one that is just being sent is left alone. Without ``again`` it is queued
    only if the peer never had it and it does not wait already.
    """
    never_had = and_(Send.state == "failed", Send.taken.is_(None))
    connection.execute(
        upsert(Send)
        .values(report_id=report_id, peer=peer, node=node)
        .on_conflict_do_update(
            index_elements=[Send.report_id, Send.peer],
            set_={**_UNSENT, "node": node, "run_after": func.now()},
            where=Send.state != "running" if again else never_had,
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


def hold_study(connection: Connection, study_id: int) -> bool:
    """Until the transaction ends nobody changes or closes the study, nor holds it for a report.

    False if there is no such study any more.
    """
    held = select(Study.id).where(Study.id == study_id).with_for_update(key_share=True)
    return connection.execute(held).one_or_none() is not None


def load(connection: Connection, report_id: int) -> StoredReport:
    """A report by its row."""
    names = [field.name for field in fields(NewReport)]
    columns = (Report.id, Study.study_instance_uid, *(getattr(Report, name) for name in names))
    row = connection.execute(
        select(*columns).join(Study, Study.id == Report.study_id).where(Report.id == report_id)
    ).one()
    return StoredReport(**row._asdict())


def latest(connection: Connection, study_id: int) -> ReportName | None:
    """The newest report of a study; None if none was made."""
    names = {field.name for field in fields(ReportName)} - {"study_instance_uid", "has_picture"}
    row = connection.execute(
        select(
            Study.study_instance_uid,
            Report.picture_dicom.is_not(None).label("has_picture"),
            *(getattr(Report, name) for name in sorted(names)),
        )
        .join(Study, Study.id == Report.study_id)
        .where(Report.study_id == study_id)
        .order_by(Report.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else ReportName(**row._asdict())


def file_of(connection: Connection, report_id: int) -> bytes | None:
    """The report's DICOM file; None if it went with its study."""
    return connection.execute(
        select(Report.dicom).where(Report.id == report_id)
    ).scalar_one_or_none()


def picture_of(connection: Connection, report_id: int) -> bytes | None:
    """The DICOM file of the report's picture; None if it has none, or not any more."""
    return connection.execute(
        select(Report.picture_dicom).where(Report.id == report_id)
    ).scalar_one_or_none()


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
