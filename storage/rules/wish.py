"""What a caller may ask for beyond a study: how many, narrowed, with others, refined by marks."""

from dataclasses import dataclass, replace

from sqlalchemy.engine import Connection

from storage import feedback, studies
from storage.filters import NO_FILTERS, Filters
from storage.rules.question import (
    NoSuchStudyError,
    QueryStudy,
    Question,
    Strategy,
    WishError,
    query_study,
)
from storage.rules.refining import NO_MARKS, Marks, refined


@dataclass(frozen=True)
class Wish:
    """``k`` None: as many hits as the settings say.

    ``also`` are Study Instance UIDs of further studies to ask with. ``marks`` that are
    ``by_reader`` and name no study stand for those that the reader gave to the study's hits.
    """

    k: int | None = None
    filters: Filters = NO_FILTERS
    also: tuple[str, ...] = ()
    marks: Marks = NO_MARKS
    strategy: Strategy = Strategy.NEAREST


PLAIN = Wish()
MOST_IMAGES = 512
"""Of the further studies that are asked with: each 64 are a pass over the index."""


def wished(connection: Connection, question: Question, wish: Wish, *, reader: str) -> Question:
    """The question with the further studies of a wish, refined by its marks.

    ``reader`` is who asks, in the words of the audit.

    Raises:
        NoSuchStudyError: it names a study that is not here.
        SearchError: one that is to be asked with has no vector.
        WishError: as ``refined``, or they have more than ``MOST_IMAGES``.
    """
    also = [study_asked_with(connection, question, uid) for uid in wish.also]
    images = sum(len(study.images) for study in also)
    if images > MOST_IMAGES:
        raise WishError(
            f"the further studies have {images} images, and {MOST_IMAGES} can be asked with at "
            "once: name fewer studies"
        )
    marks = wish.marks
    if marks.by_reader:
        marks = marks_given(connection, question.study.study_instance_uid, reader=reader)
    asked = replace(question, also=[*question.also, *also], strategy=wish.strategy)
    return refined(connection, asked, marks)


def study_asked_with(connection: Connection, question: Question, uid: str) -> QueryStudy:
    """A further study of a question.

    Raises:
        NoSuchStudyError: it is not here.
        SearchError: it has no vector.
    """
    state = studies.state_of(connection, uid)
    if state is None:
        raise NoSuchStudyError(f"study {uid} is not in this archive")
    return query_study(connection, state.id, space=question.space)


def marks_given(connection: Connection, uid: str, *, reader: str) -> Marks:
    """What a reader said of the hits of a study, as marks."""
    said = feedback.on_hits_of(connection, uid, given_by=reader)
    return Marks(_said(said, "similar"), _said(said, "not similar"), by_reader=True)


def _said(verdicts: dict[str, feedback.Verdict], verdict: feedback.Verdict) -> tuple[str, ...]:
    return tuple(sorted(uid for uid, said in verdicts.items() if said == verdict))
