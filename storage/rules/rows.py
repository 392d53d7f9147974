"""The rows of the database that a question may find, and those that it may not.

The index only ever shortlists. PostgreSQL says which of the shortlisted vectors are live,
comparable and of another patient, and the similarity that a reader sees is computed anew in
double precision, so that an answer does not depend on how many vectors stood beside it.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Function,
    LargeBinary,
    Select,
    and_,
    false,
    func,
    literal,
    not_,
    or_,
    select,
)
from sqlalchemy.engine import Connection
from sqlalchemy.orm import InstrumentedAttribute

from storage import embeddings, studies
from storage.answer import ImageReference, StudyRecord
from storage.communities.searching import Way
from storage.rules.question import QueryImage, Question
from storage.searchable import Searchable
from storage.tables import Embedding, Study


@dataclass(frozen=True)
class Found:
    """A study's best image against the question's best image.

    ``similarity`` is the cosine of the two images, and what a reader is told; ``score`` is what
    the studies are ordered by, the greater first. They differ where the question was refined.
    ``by_slices`` is the likeness of the slices, where a second stage compared them, ``way`` how a
    search by communities found it.
    """

    study: StudyRecord
    image: ImageReference
    similarity: float
    query: QueryImage
    score: float
    by_slices: float | None = None
    way: Way | None = None

    def order(self) -> tuple[float, str]:
        """The best first, ties by Study Instance UID."""
        return -self.score, self.study.study_instance_uid


@dataclass(frozen=True)
class Comparable:
    """An image that an image of the question may be compared with."""

    study: StudyRecord
    image: ImageReference
    vector: NDArray[np.float32]


def similarity(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """The cosine of two unit vectors of shape (dimension,), summed in double precision."""
    return float(first.astype(np.float64) @ second.astype(np.float64))


def compared(image: QueryImage, other: Comparable) -> Found:
    """An image of the question with an image that it may be compared with."""
    told = similarity(image.vector, other.vector)
    score = told if image.moved is None else similarity(image.moved, other.vector)
    return Found(other.study, other.image, told, image, score)


def comparable(
    connection: Connection, index: Searchable, question: Question, group: str, ids: Collection[int]
) -> dict[int, Comparable]:
    """Those of some vectors that are live, of the group and may be hits of the question.

    What has left the index since it shortlisted them is none of them, whatever SQL still saw.
    """
    rows = connection.execute(
        with_image().where(Embedding.id == func.any(list(ids)), *may_be_hits(question, group))
    ).all()
    keys, held = index.held([row.embedding_id for row in rows])
    vectors = dict(zip(keys.tolist(), held, strict=True))
    return {
        row.embedding_id: Comparable(
            studies.study_record(row),
            embeddings.image_of(row.image),
            vectors[row.embedding_id],
        )
        for row in rows
        if row.embedding_id in vectors
    }


def with_image() -> Select[tuple[object, ...]]:
    """Selects the columns of ``studies.study_record``, ``embedding_id`` and ``image``."""
    return (
        studies.study_columns()
        .add_columns(Embedding.id.label("embedding_id"), Embedding.image)
        .join(Embedding, Embedding.study_id == Study.id)
    )


def live(space_id: str, group: str) -> list[ColumnElement[bool]]:
    """The vectors of a space that compare with those of a modality group."""
    return [
        Embedding.space_id == space_id,
        Embedding.modality_group == group,
        Embedding.vector.is_not(None),
        Embedding.retired_at.is_(None),  # says the same, in the words of the index by group
    ]


def may_be_hits(question: Question, group: str) -> list[ColumnElement[bool]]:
    """The vectors of a group that are of other patients and not rejected, filters aside."""
    found = [*live(question.space.id, group), not_(of_same_patients(question))]
    if question.rejected:
        found.append(Embedding.study_id != func.all(list(question.rejected)))
    return found


def of_same_patients(question: Question) -> ColumnElement[bool]:
    """The studies of the patient, or patients, whose studies are asked with."""
    return or_(false(), *(same_patient(study) for study in question.studies))


def same_patient(study: StudyRecord) -> ColumnElement[bool]:
    """The same study, or the same patient id from the same issuer.

    A study without a patient id has no known patient, so only itself is the same.
    """
    same_study = Study.study_instance_uid == study.study_instance_uid
    if not study.patient_id:
        return same_study
    return same_study | and_(
        Study.patient_id == study.patient_id,
        Study.issuer_of_patient_id == study.issuer_of_patient_id,
    )


@dataclass(frozen=True)
class Left:
    """What filters leave of a group: embedding ids, and the studies that the index knew of."""

    ids: NDArray[np.int64]
    studies: NDArray[np.int64]


def left_by_filters(
    connection: Connection, index: Searchable, question: Question, group: str
) -> Left:
    """What the question's filters leave of the vectors that may be hits."""
    held = Embedding.change <= index.watermark
    ids, of_studies = connection.execute(
        select(_packed(Embedding.id), _packed(Embedding.study_id).filter(held))
        .join(Study, Study.id == Embedding.study_id)
        .where(*live(question.space.id, group), not_(of_same_patients(question)))
        .where(*question.filters.conditions())
    ).one()
    return Left(_unpacked(ids), np.unique(_unpacked(of_studies)))


def ids_of_group(connection: Connection, space_id: str, group: str) -> NDArray[np.int64]:
    """The embedding ids of all live vectors of a modality group."""
    packed = select(_packed(Embedding.id)).where(*live(space_id, group))
    return _unpacked(connection.execute(packed).scalar_one())


def _packed(numbers: InstrumentedAttribute[int]) -> Function[bytes]:
    """Numbers as one value: a hundred thousand rows would take most of a question's time."""
    return func.string_agg(func.int8send(numbers), literal(b""), type_=LargeBinary)


def _unpacked(numbers: bytes | None) -> NDArray[np.int64]:
    return np.frombuffer(numbers or b"", ">i8").astype(np.int64)
