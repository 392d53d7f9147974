"""Made studies and vectors for the tests of storage."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from storage import embeddings, labels, reports, spaces, studies
from storage.answer import ImageReference, Label, SpaceSummary
from storage.embeddings import NewEmbedding
from storage.labels import LabelLine
from storage.received import ReceivedInstance
from storage.reports import NewReport

NODE = "2.25.1"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def space(dimension: int = 4, name: str = "a") -> SpaceSummary:
    """A space that no encoder made."""
    return SpaceSummary(
        f"space-{name}", "made", "1", "", "none", "none", "none", "none", dimension, "cosine"
    )


def unit(*numbers: float) -> NDArray[np.float32]:
    """The numbers as a float32 vector of unit length."""
    vector = np.array(numbers, dtype=np.float64)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def received(
    study: str = "1.2.3",
    instance: str = "1.2.3.1.1",
    *,
    patient: str = "P1",
    issuer: str = "",
    sha256: str = "aa",
    spool_name: str | None = None,
    at: datetime = NOON,
) -> ReceivedInstance:
    """A received CR instance."""
    return ReceivedInstance(
        study_instance_uid=study,
        series_instance_uid=f"{study}.1",
        sop_instance_uid=instance,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.1",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        modality="CR",
        series_description=None,
        patient_id=patient,
        issuer_of_patient_id=issuer,
        sex="F",
        age=50,
        study_date="20260301",
        description="made",
        attributes={},
        header={"made": True},
        left_out=None,
        spool_name=spool_name or f"20260301/{instance}-{sha256}.dcm",
        sha256=sha256,
        size_bytes=100,
        calling_ae="CR1",
        received_at=at,
    )


def reference(instance: str, modality: str = "CR") -> ImageReference:
    """A reference to a single-frame image."""
    return ImageReference("1.2.3.1", "1.2.840.10008.5.1.4.1.1.1", instance, None, modality)


def row_of(connection: Connection, study: str) -> int:
    """The row of a study that the database holds."""
    state = studies.state_of(connection, study)
    assert state is not None
    return state.id


@dataclass(frozen=True)
class Told:
    """What a study tells of itself, its image and its findings."""

    uid: str
    vector: NDArray[np.float32]
    modality: str = "CR"
    body_part: str | None = None
    view: str | None = None
    sex: str | None = None
    age: int | None = None
    study_date: str | None = None
    labels: tuple[str, ...] = ()


def add_told(connection: Connection, in_space: SpaceSummary, told: Told) -> int:
    """An indexed study of one image, by a patient of its own, that tells this; its row."""
    arrived = replace(
        received(told.uid, f"{told.uid}.1.1", patient=told.uid),
        sex=told.sex,
        age=told.age,
        study_date=told.study_date,
    )
    studies.record(connection, arrived, received_by=NODE)
    image = replace(
        reference(f"{told.uid}.1.1", told.modality), body_part=told.body_part, view=told.view
    )
    spaces.use(connection, in_space)
    study_id = row_of(connection, told.uid)
    new = [NewEmbedding(image, told.vector, b"png", {})]
    embeddings.replace(connection, space=in_space, study_id=study_id, new=new)
    lines = [LabelLine(told.uid, Label(name)) for name in told.labels]
    labels.store(connection, lines, source="made")
    return study_id


def add_study(
    connection: Connection,
    in_space: SpaceSummary,
    study: str,
    vectors: Sequence[NDArray[np.float32]],
    *,
    patient: str | None = None,
    issuer: str = "",
    modality: str = "CR",
) -> int:
    """An indexed study with one image for each vector; returns its row."""
    arrived = received(
        study, f"{study}.1.1", patient=study if patient is None else patient, issuer=issuer
    )
    studies.record(connection, arrived, received_by=NODE)
    study_id = row_of(connection, study)
    new = [
        NewEmbedding(reference(f"{study}.1.{number}", modality), vector, b"png", {})
        for number, vector in enumerate(vectors, start=1)
    ]
    spaces.use(connection, in_space)
    embeddings.replace(connection, space=in_space, study_id=study_id, new=new)
    return study_id


def queue_report(
    connection: Connection, study: str, dicom: bytes, *, peer: str = "pacs", **changes: Any
) -> None:
    """A received study, a report on it, and the report on its way to a peer."""
    studies.record(connection, received(study, f"{study}.1.1"), received_by=NODE)
    fixed: dict[str, Any] = {
        "study_id": row_of(connection, study),
        "revision": 1,
        "series_instance_uid": "1",
        "sop_class_uid": "2",
        "sop_instance_uid": f"{study}.9",
        "dicom": dicom,
    }
    report = reports.add(connection, NewReport(**(fixed | changes)))
    reports.send_to(connection, report, peer=peer, node=NODE)


def refuse_sends(engine: Engine, condition: str) -> None:
    """A trigger of the site's that refuses changed rows of ``sends`` under a condition on NEW."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'not for this site'; END $$"
            )
        )
        connection.execute(
            text(
                "CREATE TRIGGER refuse BEFORE UPDATE ON sends FOR EACH ROW "
                f"WHEN ({condition}) EXECUTE FUNCTION refuse()"
            )
        )
