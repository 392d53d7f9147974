"""The audit: who asked what, when, in which space, and what was answered."""

from collections.abc import Sequence
from dataclasses import asdict

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
            asked_with=_asked_with(answer),
            hits={
                "hits": [hit.study.study_instance_uid for hit in answer.hits],
                "priors": [prior.study.study_instance_uid for prior in answer.priors],
            },
        )
    )


def _asked_with(answer: Answer) -> dict[str, object]:
    """Nothing of a plain question about one study."""
    told: dict[str, object] = {"also": list(answer.also)} if answer.also else {}
    if answer.refined is not None:
        told["refined"] = asdict(answer.refined)
    if answer.second_stage is not None:
        told["second_stage"] = asdict(answer.second_stage)
    if answer.by_communities is not None:
        told["by_communities"] = asdict(answer.by_communities)
    return told


def record_lookup(
    connection: Connection, case_number: str, found: Sequence[str], *, asked_by: str
) -> None:
    """Keeps one line on who was told which study a case number stands for, found or not."""
    connection.execute(
        insert(CaseLookup).values(asked_by=asked_by, case_number=case_number, found=list(found))
    )
