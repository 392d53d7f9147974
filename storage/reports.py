"""Reports as they were made, and their way to the peers that are to have them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, insert, select
from sqlalchemy.engine import Connection

from storage.database import notify
from storage.queue import SENDS
from storage.tables import Report, Send, Study


@dataclass(frozen=True)
class StoredReport:
    """A report's DICOM file and what names it."""

    id: int
    study_instance_uid: str
    revision: int
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    dicom: bytes


def add(
    connection: Connection,
    *,
    study_id: int,
    revision: int,
    series_instance_uid: str,
    sop_class_uid: str,
    sop_instance_uid: str,
    dicom: bytes,
) -> int:
    """Keeps a report, byte for byte; returns its row."""
    return connection.execute(
        insert(Report)
        .values(
            study_id=study_id,
            revision=revision,
            series_instance_uid=series_instance_uid,
            sop_class_uid=sop_class_uid,
            sop_instance_uid=sop_instance_uid,
            dicom=dicom,
        )
        .returning(Report.id)
    ).scalar_one()


def send_to(connection: Connection, report_id: int, *, peer: str, node: str) -> None:
    """Queues a report for a peer, by the peer's name in the settings of ``node``."""
    connection.execute(insert(Send).values(report_id=report_id, peer=peer, node=node))
    notify(connection, SENDS.topic)


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


def count(connection: Connection) -> int:
    """How many reports were made."""
    return connection.execute(select(func.count()).select_from(Report)).scalar_one()


def _columns() -> Select[*tuple[Any, ...]]:
    return select(
        Report.id,
        Study.study_instance_uid,
        Report.revision,
        Report.series_instance_uid,
        Report.sop_class_uid,
        Report.sop_instance_uid,
        Report.dicom,
    ).join(Study, Study.id == Report.study_id)
