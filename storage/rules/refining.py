"""More like these, less like those: a question moved by marks (Rocchio).

q' = a q + b mean(more) - c mean(less), of unit length again, with the textbook's weights (Manning,
Raghavan, Schuetze: Introduction to Information Retrieval, 2008, 9.1.1). Of a marked study the
image counts that is nearest to the query image, for it is the one that stands for the study as a
hit; each query image is moved by those of its own modality group.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from storage import embeddings, studies
from storage.answer import Refined
from storage.embeddings import StoredEmbedding, modality_group
from storage.rules.question import NoSuchStudyError, QueryImage, Question, WishError
from storage.rules.rows import similarity

OWN, MORE, LESS = 1.0, 0.75, 0.15
"""a, b and c. As a > b + c, the sum is never zero, wherever the marked images lie."""


@dataclass(frozen=True)
class Marks:
    """Studies to seek more like, and less like, by their Study Instance UIDs.

    ``by_reader`` says that they were given before, to hits: what cannot be used of them any more
    is left out, and told; else it is a fault of the question.
    """

    more: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    by_reader: bool = False

    def __bool__(self) -> bool:
        """True if there is anything to go by, or the reader's marks are asked for."""
        return bool(self.more or self.less or self.by_reader)


NO_MARKS = Marks()


@dataclass(frozen=True)
class _Marked:
    id: int
    uid: str
    images: Sequence[StoredEmbedding]


def refined(connection: Connection, question: Question, marks: Marks) -> Question:
    """The question moved by marks; those marked as less like it are not to be hits.

    Raises:
        NoSuchStudyError: a marked study is not here.
        WishError: a study is marked both ways, is asked with itself, or has no image that
            compares with the question's.
    """
    if not marks:
        return question
    if not marks.by_reader:
        _check(question, marks)
    more = _marked(connection, question, marks.more)
    less = _marked(connection, question, marks.less)
    usable = {marked.uid for marked in (*more, *less) if marked.images}
    left_out = tuple(uid for uid in (*marks.more, *marks.less) if uid not in usable)
    if left_out and not marks.by_reader:
        raise _unusable(connection, left_out[0])
    told = Refined(
        more=tuple(marked.uid for marked in more if marked.images),
        less=tuple(marked.uid for marked in less if marked.images),
        left_out=left_out,
        by_reader=marks.by_reader,
    )
    return replace(
        question,
        images=[_moved(image, more, less) for image in question.images],
        also=[
            replace(other, images=[_moved(image, more, less) for image in other.images])
            for other in question.also
        ],
        refined=told,
        rejected=tuple(marked.id for marked in less),
    )


def _check(question: Question, marks: Marks) -> None:
    asked = {study.study_instance_uid for study in question.studies}
    for uid in (*marks.more, *marks.less):
        if uid in asked:
            raise WishError(f"study {uid} is asked with: it cannot be marked as well")
    both = set(marks.more) & set(marks.less)
    if both:
        raise WishError(f"study {min(both)} is to be both more and less alike")


def _marked(connection: Connection, question: Question, uids: Sequence[str]) -> list[_Marked]:
    """The marked studies that are here, with their images that compare with the question's.

    One that is asked with is left out: it cannot be a mark of the question as well.
    """
    groups = question.by_group()
    asked = {study.study_instance_uid for study in question.studies}
    found = []
    for uid in dict.fromkeys(uid for uid in uids if uid not in asked):
        state = studies.state_of(connection, uid)
        if state is not None:
            stored = embeddings.of_study(connection, space_id=question.space.id, study_id=state.id)
            images = [entry for entry in stored if modality_group(entry.image.modality) in groups]
            found.append(_Marked(state.id, uid, images))
    return found


def _unusable(connection: Connection, uid: str) -> NoSuchStudyError | WishError:
    if studies.state_of(connection, uid) is None:
        return NoSuchStudyError(f"study {uid} is not in this archive")
    return WishError(f"study {uid} has no image that compares with those of the question")


def _moved(image: QueryImage, more: Sequence[_Marked], less: Sequence[_Marked]) -> QueryImage:
    towards, away = list(_nearest(image, more)), list(_nearest(image, less))
    if not towards and not away:
        return image
    moved = OWN * image.vector.astype(np.float64) + MORE * _mean(towards) - LESS * _mean(away)
    return replace(image, moved=(moved / np.linalg.norm(moved)).astype(np.float32))


def _nearest(image: QueryImage, marked: Sequence[_Marked]) -> Iterator[NDArray[np.float64]]:
    """Of each study that has any, the image of the same group nearest to one, ties by row."""
    for study in marked:
        alike = [e for e in study.images if modality_group(e.image.modality) == image.group]
        if alike:
            best = max(alike, key=lambda entry: similarity(image.vector, entry.vector))
            yield best.vector.astype(np.float64)


def _mean(vectors: Sequence[NDArray[np.float64]]) -> NDArray[np.float64] | float:
    return np.mean(vectors, axis=0) if vectors else 0.0
