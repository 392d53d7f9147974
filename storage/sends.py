"""Reports that could not be delivered: listed, and sent once more on demand."""

from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.engine import Connection

from storage.database import notify
from storage.queue import SENDS
from storage.tables import Report, Send, Study


@dataclass(frozen=True)
class UndeliveredReport:
    """A report that could not be delivered, with the reason."""

    id: int
    study_instance_uid: str
    peer: str
    reason: str | None


def given_up(connection: Connection) -> list[UndeliveredReport]:
    """The sends given up, oldest first."""
    rows = connection.execute(
        select(Send.id, Study.study_instance_uid, Send.peer, Send.reason)
        .join(Report, Report.id == Send.report_id)
        .join(Study, Study.id == Report.study_id)
        .where(Send.state == "failed")
        .order_by(Send.id)
    )
    return [UndeliveredReport(**row._asdict()) for row in rows]


def retry(connection: Connection, study_instance_uid: str | None) -> int:
    """Queues the sends given up once more: one study's, or all; returns how many."""
    again = [
        entry.id
        for entry in given_up(connection)
        if study_instance_uid in (None, entry.study_instance_uid)
    ]
    connection.execute(
        update(Send)
        .where(Send.id.in_(again))
        .values(state="queued", attempts=0, run_after=func.now(), reason=None, finished_at=None)
    )
    notify(connection, SENDS.topic)
    return len(again)
