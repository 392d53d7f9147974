"""What a worker reads of a study, and what it writes when its work has ended."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Exists,
    Row,
    TableValuedAlias,
    Text,
    and_,
    case,
    cast,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Connection
from sqlalchemy.orm import aliased

from storage.answer import StudyRecord
from storage.queue import JOBS, SUSPECT
from storage.studies import study_columns, study_record
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


@dataclass(frozen=True)
class TakenStudy:
    """A study as its work begins: its record, its instances, and who ever sent images of it."""

    record: StudyRecord
    instances: Sequence[StoredInstance]
    callers: Sequence[str]


def take(connection: Connection, study_ids: Sequence[int], *, node: str) -> list[TakenStudy]:
    """Studies as ``node`` has them, in the order of their rows.

    Their records are read before their instances: what comes meanwhile shows in the records later.
    """
    of_these = Study.id == func.any(list(study_ids))
    rows = connection.execute(study_columns().add_columns(Study.callers).where(of_these)).all()
    held = _instances(connection, study_ids, node=node)
    return [
        TakenStudy(study_record(row), held.get(row.id, []), row.callers)
        for row in sorted(rows, key=lambda row: row.id)
    ]


def instances(connection: Connection, study_id: int, *, node: str) -> list[StoredInstance]:
    """The study's instances as ``node`` has them, in the order of their SOP Instance UIDs."""
    return _instances(connection, [study_id], node=node).get(study_id, [])


def _instances(
    connection: Connection, study_ids: Sequence[int], *, node: str
) -> dict[int, list[StoredInstance]]:
    here = case((Instance.node == node, Instance.spool_name), else_=None)
    rows = connection.execute(
        select(
            Series.study_id,
            Instance.sop_instance_uid,
            here.label("spool_name"),
            Instance.header,
            Instance.left_out,
            Instance.sha256,
        )
        .join(Series, Instance.series_id == Series.id)
        .where(Series.study_id == func.any(list(study_ids)))
        .order_by(Instance.sop_instance_uid)
    )
    found: dict[int, list[StoredInstance]] = {}
    for study_id, *told in rows:
        found.setdefault(study_id, []).append(StoredInstance(*told))
    return found


def callers(connection: Connection, study_id: int) -> list[str]:
    """The AE titles that ever sent images of the study."""
    return list(connection.execute(select(Study.callers).where(Study.id == study_id)).scalar_one())


def claim(
    connection: Connection,
    *,
    node: str,
    lease_s: float,
    most: int,
    besides: Collection[int],
    suspects: bool,
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Takes up to ``most`` jobs of the node that are due, those first that have waited longest.

    None is of a study in ``besides``, and no two are of one study: of those only the latest is
    taken. ``suspects`` says whether one may be ``storage.queue.SUSPECT``.
    """
    later = aliased(Job)
    where = [
        Job.study_id != func.all(list(besides)),
        ~exists().where(
            later.study_id == Job.study_id,
            later.id > Job.id,
            later.state.in_(("queued", "running")),
        ),
    ]
    if not suspects:
        where.append(Job.reason.is_distinct_from(SUSPECT))
    return JOBS.claim_several(connection, node=node, lease_s=lease_s, most=most, where=where)


def unanswered(connection: Connection, study_id: int) -> list[str]:
    """The AE titles that sent images of the study since its work last ended."""
    found = select(Study.unanswered).where(Study.id == study_id)
    return list(connection.execute(found).scalar_one())


def all_unanswered(connection: Connection, study_ids: Collection[int]) -> dict[int, list[str]]:
    """The same of several studies, by their rows; holds all until the transaction ends."""
    _hold(connection, study_ids)
    rows = connection.execute(
        select(Study.id, Study.unanswered).where(Study.id == func.any(list(study_ids)))
    )
    return {row.id: list(row.unanswered) for row in rows}


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
    return study_id in superseded(connection, {study_id: job_id})


def superseded(connection: Connection, jobs: Mapping[int, int]) -> set[int]:
    """Those of several studies that were closed once more since their ``jobs`` were made.

    Holds all of them until the transaction ends.
    """
    _hold(connection, jobs)
    mine = _pairs(jobs)
    later = select(mine.c.study).where(_later_job(mine.c.study, mine.c.job))
    return set(connection.execute(later).scalars())


def _hold(connection: Connection, study_ids: Collection[int]) -> None:
    """In the order of ``storage.recording``, so that two who hold several can go on."""
    connection.execute(
        select(Study.id)
        .where(Study.id == func.any(list(study_ids)))
        .order_by(Study.study_instance_uid)
        .with_for_update(key_share=True)
    ).all()


def _pairs(jobs: Mapping[int, int]) -> TableValuedAlias:
    """Studies and their jobs as the rows of a table."""
    unnested = func.unnest(
        cast(list(jobs), ARRAY(BigInteger)), cast(list(jobs.values()), ARRAY(BigInteger))
    )
    return unnested.table_valued("study", "job", name="mine").render_derived()


def _later_job(study: ColumnElement[int] | int, job: ColumnElement[int] | int) -> Exists:
    return exists().where(Job.study_id == study, Job.id > job, Job.state.in_(("queued", "running")))


def mark_worked(connection: Connection, study_id: int, *, job_id: int, to_be_found: bool) -> None:
    """Ends a study's way as indexed or, if it is not to be found, as answered.

    Unless late images have reopened it meanwhile.
    """
    mark_all_worked(connection, {study_id: job_id}, to_be_found=to_be_found)


def mark_all_worked(connection: Connection, jobs: Mapping[int, int], *, to_be_found: bool) -> None:
    """The same with several studies, by their jobs."""
    ended = {"state": "indexed", "indexed_at": func.now()} if to_be_found else {"state": "answered"}
    mine = _pairs(jobs)
    connection.execute(
        update(Study)
        .where(_ends(mine.c.study, mine.c.job))
        .values(reason=None, unanswered=[], **ended)
    )


def mark_failed(connection: Connection, study_id: int, reason: str, *, job_id: int) -> None:
    """Sets a study aside with its reason, unless late images have reopened it meanwhile."""
    connection.execute(
        update(Study).where(_ends(study_id, job_id)).values(state="failed", reason=reason)
    )


def _ends(study: ColumnElement[int] | int, job: ColumnElement[int] | int) -> ColumnElement[bool]:
    return and_(Study.id == study, Study.state == "queued", ~_later_job(study, job))
