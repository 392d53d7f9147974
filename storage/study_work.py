"""What a worker reads of a study, and what it writes when its work has ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, case, cast, exists, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Connection

from storage.tables import Instance, Job, Series, Study


@dataclass(frozen=True)
class StoredInstance:
    """What a worker needs of an instance: its header facts and its file's name in the spool.

    ``spool_name`` is None where the file is not in the worker's spool; ``sha256`` is the data
    set's digest.
    """

    sop_instance_uid: str
    spool_name: str | None
    header: Mapping[str, Any] | None
    left_out: str | None
    sha256: str = ""


def instances(connection: Connection, study_id: int, *, node: str) -> list[StoredInstance]:
    """The study's instances as ``node`` has them, in the order of their SOP Instance UIDs."""
    here = case((Instance.node == node, Instance.spool_name), else_=None)
    rows = connection.execute(
        select(
            Instance.sop_instance_uid,
            here.label("spool_name"),
            Instance.header,
            Instance.left_out,
            Instance.sha256,
        )
        .join(Series, Instance.series_id == Series.id)
        .where(Series.study_id == study_id)
        .order_by(Instance.sop_instance_uid)
    )
    return [StoredInstance(**row._asdict()) for row in rows]


def callers(connection: Connection, study_id: int) -> list[str]:
    """The AE titles that ever sent images of the study."""
    return list(connection.execute(select(Study.callers).where(Study.id == study_id)).scalar_one())


def unanswered(connection: Connection, study_id: int) -> list[str]:
    """The AE titles that sent images of the study since its work last ended."""
    return list(
        connection.execute(select(Study.unanswered).where(Study.id == study_id)).scalar_one()
    )


def keep_reasons(connection: Connection, study_id: int, reasons: Mapping[str, str]) -> None:
    """Writes beside each of the study's SOP instances why it was not embedded, if it was not."""
    said = (
        func.unnest(cast(list(reasons), ARRAY(Text)), cast(list(reasons.values()), ARRAY(Text)))
        .table_valued("uid", "reason")
        .render_derived()
    )
    of_study = Instance.series_id.in_(select(Series.id).where(Series.study_id == study_id))
    connection.execute(
        update(Instance)
        .where(of_study, Instance.sop_instance_uid == said.c.uid)
        .where(Instance.left_out.is_distinct_from(said.c.reason))
        .values(left_out=said.c.reason)
    )
    embedded = Instance.sop_instance_uid != func.all(list(reasons))
    connection.execute(
        update(Instance)
        .where(of_study, embedded, Instance.left_out.is_not(None))
        .values(left_out=None)
    )


def is_superseded(connection: Connection, study_id: int, *, job_id: int) -> bool:
    """Whether the study was closed once more since ``job_id`` was made of it.

    Holds the study until the transaction ends: nobody closes it meanwhile.
    """
    connection.execute(
        select(Study.id).where(Study.id == study_id).with_for_update(key_share=True)
    ).one()
    return bool(connection.execute(select(_later_job(study_id, job_id))).scalar_one())


def _later_job(study_id: int, job_id: int) -> ColumnElement[bool]:
    return exists().where(
        Job.study_id == study_id, Job.id > job_id, Job.state.in_(("queued", "running"))
    )


def mark_worked(connection: Connection, study_id: int, *, job_id: int, to_be_found: bool) -> None:
    """Ends a study's way as indexed or, if it is not to be found, as answered.

    Unless late images have reopened it meanwhile.
    """
    ended = {"state": "indexed", "indexed_at": func.now()} if to_be_found else {"state": "answered"}
    connection.execute(
        update(Study).where(_ends(study_id, job_id)).values(reason=None, unanswered=[], **ended)
    )


def mark_failed(connection: Connection, study_id: int, reason: str, *, job_id: int) -> None:
    """Sets a study aside with its reason, unless late images have reopened it meanwhile."""
    connection.execute(
        update(Study).where(_ends(study_id, job_id)).values(state="failed", reason=reason)
    )


def _ends(study_id: int, job_id: int) -> ColumnElement[bool]:
    return and_(Study.id == study_id, Study.state == "queued", ~_later_job(study_id, job_id))
