"""The audit: who asked what, when, in which space, and what was answered."""

from collections.abc import Sequence

from sqlalchemy import insert
from sqlalchemy.engine import Connection

from storage.answer import Answer
from storage.tables import CaseLookup, Query


def record(connection: Connection, answer: Answer, *, asked_by: str) -> None:
    """Keeps one line of audit; ``asked_by`` says the door and the caller, such as ``dicom:CT1``."""
    connection.execute(
        insert(Query).values(
            asked_by=asked_by,
            study_instance_uid=answer.query.study_instance_uid,
            space_id=answer.space.id,
            k=answer.asked,
            filters=dict(answer.filters),
            searched=answer.searched,
            hits={
                "hits": [hit.study.study_instance_uid for hit in answer.hits],
                "priors": [prior.study.study_instance_uid for prior in answer.priors],
            },
        )
    )


def record_lookup(
    connection: Connection, case_number: str, found: Sequence[str], *, asked_by: str
) -> None:
    """Keeps one line on who was told which study a case number stands for, found or not."""
    connection.execute(
        insert(CaseLookup).values(asked_by=asked_by, case_number=case_number, found=list(found))
    )
