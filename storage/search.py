"""The door of search: a question in, an answer out. The rules stand in ``storage.rules``.

The best image of each study, no study of the same patient, priors apart, ties by Study Instance
UID, percentiles from the archive's own distribution, no hit below the level: each is described in
docs/search-rules.md, with the test that holds it.
"""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy.engine import Connection

from storage import labels
from storage.answer import Answer, Hit, ImageReference
from storage.communities.searching import CommunityIndex
from storage.embeddings import modality_group
from storage.rules.by_communities import grown_studies
from storage.rules.by_slices import second_stage
from storage.rules.nearest import nearest_studies
from storage.rules.percentiles import Spread, archive_similarities, percentile
from storage.rules.priors import priors_of
from storage.rules.question import (
    NoSuchStudyError,
    QueryImage,
    QueryStudy,
    Question,
    SearchError,
    Strategy,
    WishError,
    query_study,
    question_of_study,
)
from storage.rules.refining import NO_MARKS, Marks, refined
from storage.rules.rows import Found, Left, left_by_filters, similarity
from storage.rules.searched import count_left, count_searched
from storage.rules.wish import PLAIN, Wish, wished
from storage.searchable import Searchable
from storage.vectors.metric import Metric

__all__ = [
    "NO_MARKS",
    "PLAIN",
    "Marks",
    "NoSuchStudyError",
    "QueryImage",
    "QueryStudy",
    "Question",
    "SearchError",
    "Strategy",
    "Wish",
    "WishError",
    "answer",
    "percentile",
    "query_study",
    "question_of_study",
    "refined",
    "similarity",
    "wished",
]


def answer(
    connection: Connection,
    index: Searchable,
    question: Question,
    *,
    rerank: int = 0,
    communities: CommunityIndex | None = None,
) -> Answer:
    """The studies most similar to the question.

    Args:
        connection, index: up to date with each other.
        question: what is asked.
        rerank: of the studies nearest by their images, so many are compared slice by slice; none
            where it goes by communities, whose order is another.
        communities: of the same space, for a question that asks for them.

    Raises:
        SearchError: k is below 1, the question has no image, index and space differ, or the space
            goes by another metric than the cosine.
        WishError: a study is asked with twice, or communities are asked for and there are none.
    """
    _check(index, question)
    grown, stage = None, None
    left: dict[str, Left] | None = None
    if question.strategy is Strategy.COMMUNITIES:
        left = _left(connection, index, question)
        held = _given(communities)
        nearest, grown = grown_studies(connection, index, held, question, left=left)
        found = nearest
    else:
        left = _left(connection, index, question) if question.filters else None
        wanted = max(question.k, rerank)
        nearest = nearest_studies(connection, index, question, wanted=wanted, left=left)
        found, stage = second_stage(connection, question, nearest, most=rerank)
    own, priors_found = priors_of(connection, question)
    shown = found[: question.k]
    first = nearest[: question.k]
    spreads = _spreads(connection, index, [*first, *shown, *own])
    hits = _hits(connection, spreads, shown)
    return Answer(
        query=question.study,
        image=_image(question, shown),
        space=question.space,
        searched=count_searched(connection, index, question)
        if left is None
        else count_left(left.values()),
        asked=question.k,
        level=question.level,
        hits=() if _is_unlike(spreads, [*first, *shown], question.level) else tuple(hits),
        priors=tuple(_hits(connection, spreads, own)),
        filters=question.filters.told(),
        priors_found=priors_found,
        also=tuple(other.study.study_instance_uid for other in question.also),
        refined=question.refined,
        second_stage=stage,
        by_communities=grown,
    )


def _left(connection: Connection, index: Searchable, question: Question) -> dict[str, Left]:
    groups = question.by_group()
    return {group: left_by_filters(connection, index, question, group) for group in groups}


def _given(communities: CommunityIndex | None) -> CommunityIndex:
    if communities is None:
        raise WishError(
            "the archive is not divided into communities: set communities in [index] of the node's "
            "settings, or ask for the nearest"
        )
    return communities


def _check(index: Searchable, question: Question) -> None:
    if question.k < 1:
        raise SearchError(f"k is {question.k}; ask for at least one study")
    if not question.images or not all(other.images for other in question.also):
        raise SearchError("the question has no image")
    if index.space_id != question.space.id:
        raise SearchError(f"the index holds space {index.space_id}, not {question.space.id}")
    # similarities, percentiles and marks are all of cosines
    if question.space.metric != Metric.COSINE:
        raise SearchError(
            f"space {question.space.id} goes by {question.space.metric}: "
            "the rules of search hold for cosine alone"
        )
    uids = [study.study_instance_uid for study in question.studies if study.study_instance_uid]
    if len(set(uids)) < len(uids):
        twice = next(uid for uid in uids if uids.count(uid) > 1)
        raise WishError(f"study {twice} is asked with twice")


def _image(question: Question, found: Sequence[Found]) -> ImageReference:
    """The image of the first study that stands for the question: the best hit's, if it is one."""
    best = found[0].query.image if found else None
    own = [image.image for image in question.images]
    return best if best in own else own[0]


def _is_unlike(spreads: Mapping[str, Spread], found: Sequence[Found], level: float) -> bool:
    """Whether not even the best is called similar: by its image, whatever slices say of it."""
    said = [_percentile(spreads, entry) for entry in found]
    best = max((value for value in said if value is not None), default=None)
    return best is not None and best < level


def _percentile(spreads: Mapping[str, Spread], entry: Found) -> float | None:
    return percentile(spreads[modality_group(entry.image.modality)], entry.similarity)


def _spreads(
    connection: Connection, index: Searchable, found: Iterable[Found]
) -> dict[str, Spread]:
    groups = {modality_group(entry.image.modality) for entry in found}
    return {group: archive_similarities(connection, index, group=group) for group in groups}


def _hits(connection: Connection, spreads: dict[str, Spread], found: Sequence[Found]) -> list[Hit]:
    said = labels.of_studies(connection, [entry.study.id for entry in found])
    return [
        Hit(
            rank=rank,
            study=entry.study,
            image=entry.image,
            similarity=entry.similarity,
            percentile=_percentile(spreads, entry),
            labels=said.get(entry.study.id, ()),
            query_image=entry.query.image,
            slice_similarity=entry.by_slices,
            way=entry.way,
        )
        for rank, entry in enumerate(found, start=1)
    ]
