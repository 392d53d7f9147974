"""The rules of search: best image per study, same patient out, priors apart, percentiles.

The index only ever shortlists. PostgreSQL says which of the shortlisted vectors are live,
comparable and of another patient, and the similarity that a reader sees is computed anew in
double precision, so that an answer does not depend on how many vectors stood beside it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Row, Select, and_, func, not_, select
from sqlalchemy.engine import Connection

from storage import embeddings, labels, studies
from storage.answer import Answer, Hit, ImageReference, SpaceSummary, StudyRecord
from storage.filters import NO_FILTERS, Filters
from storage.index import Neighbour, VectorIndex
from storage.tables import Embedding, Study

PRIORS_AT_ONCE = 1000
"""Vectors of the patient's own studies that are held at one time."""
PERCENTILE_SAMPLE = 400
"""Vectors whose pairwise similarities stand for the archive's own distribution."""
PERCENTILE_MIN_PAIRS = 100
"""With fewer pairs of different patients, no percentile is given: it would be noise."""
SHORTLIST = 64
IMAGES_AT_ONCE = 64
"""Images of a question that are searched with together: one pass over the index for all."""
FLOAT32_SLACK = 1e-5
"""FAISS sums in float32; a shortlist is only complete this far above its last entry."""


class SearchError(Exception):
    """A question that cannot be answered; the message says why and what to do."""


@dataclass(frozen=True)
class QueryImage:
    """One image of the question: unit vector, float32, shape (dimension,)."""

    image: ImageReference
    vector: NDArray[np.float32]


@dataclass(frozen=True)
class Question:
    """What is asked: the study, its images, how many hits, and the level for "similar".

    ``filters`` narrow the hits, not the patient's priors, which are listed whatever they are.
    """

    study: StudyRecord
    images: Sequence[QueryImage]
    space: SpaceSummary
    k: int
    level: float
    filters: Filters = NO_FILTERS


@dataclass(frozen=True)
class _Found:
    """A study's best image against the question's best image."""

    study: StudyRecord
    image: ImageReference
    similarity: float
    query: QueryImage

    def order(self) -> tuple[float, str]:
        """Most similar first, ties by Study Instance UID."""
        return -self.similarity, self.study.study_instance_uid


def question_of_study(
    connection: Connection,
    study_id: int,
    *,
    space: SpaceSummary,
    k: int,
    level: float,
    filters: Filters = NO_FILTERS,
) -> Question:
    """Asks with the vectors that an indexed study has in ``space``.

    The study is read before its vectors, so that whoever finds it unchanged afterwards knows that
    they are of the same revision.

    Raises:
        SearchError: the study has no vector in that space.
    """
    study = studies.load(connection, study_id)
    stored = embeddings.of_study(connection, space_id=space.id, study_id=study_id)
    if not stored:
        raise SearchError(
            f"study {study.study_instance_uid} has no vector in space {space.id}: "
            "it is not indexed yet, was only to be answered, or failed; `likeness failed` tells"
        )
    images = [QueryImage(entry.image, entry.vector) for entry in stored]
    return Question(study, images, space, k, level, filters)


def answer(connection: Connection, index: VectorIndex, question: Question) -> Answer:
    """The studies most similar to the question, by the rules above.

    Raises:
        SearchError: k is below 1, the question has no image, or index and space differ.
    """
    if question.k < 1:
        raise SearchError(f"k is {question.k}; ask for at least one study")
    if not question.images:
        raise SearchError("the question has no image")
    if index.space_id != question.space.id:
        raise SearchError(f"the index holds space {index.space_id}, not {question.space.id}")
    others = _best(_similar(connection, index, question, group) for group in _by_kind(question))
    hits = _hits(connection, index, others[: question.k])
    own, priors_found = _priors(connection, question)
    return Answer(
        query=question.study,
        image=(hits[0].query_image if hits else None) or question.images[0].image,
        space=question.space,
        searched=_count_searched(connection, index, question),
        asked=question.k,
        level=question.level,
        hits=_unless_unlike(hits, question.level),
        priors=tuple(_hits(connection, index, own)),
        filters=question.filters.told(),
        priors_found=priors_found,
    )


def _unless_unlike(hits: Sequence[Hit], level: float) -> tuple[Hit, ...]:
    """All the hits, or none where not even the best is called similar."""
    best = max((hit.percentile for hit in hits if hit.percentile is not None), default=None)
    return () if best is not None and best < level else tuple(hits)


def _best(found: Iterable[Iterable[_Found]]) -> list[_Found]:
    """Each study once, by its best image."""
    best: dict[int, _Found] = {}
    for images in found:
        for entry in images:
            known = best.get(entry.study.id)
            if known is None or entry.similarity > known.similarity:
                best[entry.study.id] = entry
    return sorted(best.values(), key=_Found.order)


def _by_kind(question: Question) -> Iterator[Sequence[QueryImage]]:
    """The question's images, some at a time, those that compare with the same ones together."""
    groups: dict[str, list[QueryImage]] = {}
    for image in question.images:
        groups.setdefault(embeddings.modality_group(image.image.modality), []).append(image)
    for group in groups.values():
        yield from (group[n : n + IMAGES_AT_ONCE] for n in range(0, len(group), IMAGES_AT_ONCE))


def _similar(
    connection: Connection, index: VectorIndex, question: Question, images: Sequence[QueryImage]
) -> list[_Found]:
    """At least the k best studies for each image: shortlists widen until that is certain.

    What filters leave is resolved in SQL first and searched exactly, so that a rare combination
    is found however far down it stands.
    """
    wanted = max(SHORTLIST, 4 * question.k)
    among = _filtered(connection, question, images[0]) if question.filters else None
    found: list[list[_Found]] = []
    while images:
        lists = index.search_each(np.stack([image.vector for image in images]), wanted, among=among)
        keys = {neighbour.key for neighbours in lists for neighbour in neighbours}
        others = _comparable(connection, index, question, images[0], keys)
        widened = []
        for image, neighbours in zip(images, lists, strict=True):
            best = _best([_compared(image, others, neighbours)])
            found.append(best)
            if len(neighbours) == wanted and not _is_certain(best, question.k, neighbours[-1]):
                widened.append(image)
        images, wanted = widened, 4 * wanted
    return _best(found)


def _is_certain(best: Sequence[_Found], k: int, last: Neighbour) -> bool:
    """Whether nothing beyond the shortlist's last entry can be among the k best."""
    certain = 1.0 - last.distance + FLOAT32_SLACK
    return len(best) >= k and best[k - 1].similarity > certain


def _filtered(connection: Connection, question: Question, image: QueryImage) -> NDArray[np.int64]:
    """The ids of the comparable vectors of other patients that the filters leave."""
    rows = connection.execute(
        select(Embedding.id)
        .join(Study, Study.id == Embedding.study_id)
        .where(*_same_kind(question, image), not_(_same_patient(question.study)))
        .where(*question.filters.conditions())
    )
    return np.fromiter(rows.scalars(), dtype=np.int64)


@dataclass(frozen=True)
class _Comparable:
    """An image that an image of the question may be compared with."""

    study: StudyRecord
    image: ImageReference
    vector: NDArray[np.float32]


def _comparable(
    connection: Connection,
    index: VectorIndex,
    question: Question,
    image: QueryImage,
    keys: Collection[int],
) -> dict[int, _Comparable]:
    """Those of the shortlisted vectors that are live, of the same kind and of other patients."""
    rows = connection.execute(
        _with_image()
        .where(Embedding.id == func.any(list(keys)), *_same_kind(question, image))
        .where(not_(_same_patient(question.study)))
    ).all()
    vectors = index.vectors([row.embedding_id for row in rows])
    return {
        row.embedding_id: _Comparable(
            studies.study_record(row), embeddings.image_of(row.image), vector
        )
        for row, vector in zip(rows, vectors, strict=True)
    }


def _compared(
    image: QueryImage, others: Mapping[int, _Comparable], neighbours: Sequence[Neighbour]
) -> Iterator[_Found]:
    for neighbour in neighbours:
        other = others.get(neighbour.key)
        if other is not None:
            value = similarity(image.vector, other.vector)
            yield _Found(other.study, other.image, value, image)


def similarity(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """The cosine of two unit vectors of shape (dimension,), summed in double precision."""
    return float(first.astype(np.float64) @ second.astype(np.float64))


def _with_image() -> Select[tuple[object, ...]]:
    return (
        studies.study_columns()
        .add_columns(Embedding.id.label("embedding_id"), Embedding.image)
        .join(Embedding, Embedding.study_id == Study.id)
    )


def _same_kind(question: Question, image: QueryImage) -> list[ColumnElement[bool]]:
    return [
        Embedding.space_id == question.space.id,
        Embedding.modality_group == embeddings.modality_group(image.image.modality),
        Embedding.vector.is_not(None),
    ]


def _same_patient(study: StudyRecord) -> ColumnElement[bool]:
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


def _priors(connection: Connection, question: Question) -> tuple[list[_Found], int]:
    """The k most similar of the patient's other studies, and how many there are in all.

    A Patient ID that a site gives to everybody, such as "ANON", may have any number of them: of
    those that are not among the k no more is kept in memory than a number.
    """
    best: dict[str, tuple[float, int, QueryImage]] = {}
    for image in question.images:
        for row in _vectors_of_patient(connection, question, image):
            value = similarity(image.vector, np.frombuffer(row.vector, embeddings.VECTOR_DTYPE))
            known = best.get(row.study_instance_uid)
            if known is None or value > known[0]:
                best[row.study_instance_uid] = (value, row.id, image)
    nearest = sorted(best, key=lambda uid: (-best[uid][0], uid))[: question.k]
    chosen = {best[uid][1]: best[uid] for uid in nearest}
    rows = connection.execute(_with_image().where(Embedding.id.in_(chosen))).all()
    found = [
        _Found(studies.study_record(row), embeddings.image_of(row.image), value, image)
        for row in rows
        for value, _, image in [chosen[row.embedding_id]]
    ]
    return sorted(found, key=_Found.order), len(best)


def _vectors_of_patient(
    connection: Connection, question: Question, image: QueryImage
) -> Iterator[Row[*tuple[Any, ...]]]:
    """The comparable vectors of the patient's other studies, read some at a time."""
    last = 0
    while True:
        rows = connection.execute(
            select(Embedding.id, Study.study_instance_uid, Embedding.vector)
            .join(Study, Study.id == Embedding.study_id)
            .where(*_same_kind(question, image), _same_patient(question.study))
            .where(Study.study_instance_uid != question.study.study_instance_uid)
            .where(Embedding.id > last)
            .order_by(Embedding.id)
            .limit(PRIORS_AT_ONCE)
        ).all()
        yield from rows
        if len(rows) < PRIORS_AT_ONCE:
            return
        last = rows[-1].id


def _count_searched(connection: Connection, index: VectorIndex, question: Question) -> int:
    groups = {embeddings.modality_group(image.image.modality) for image in question.images}
    return connection.execute(
        select(func.count(func.distinct(Embedding.study_id)))
        .join(Study, Study.id == Embedding.study_id)
        .where(
            Embedding.space_id == question.space.id,
            Embedding.modality_group.in_(groups),
            *_held(index),
            not_(_same_patient(question.study)),
            *question.filters.conditions(),
        )
    ).scalar_one()


def _held(index: VectorIndex) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The live vectors that the index has: some may have come since it caught up."""
    return Embedding.vector.is_not(None), Embedding.change <= index.watermark


def _hits(connection: Connection, index: VectorIndex, found: Sequence[_Found]) -> list[Hit]:
    said = labels.of_studies(connection, [entry.study.id for entry in found])
    spread = {
        group: archive_similarities(connection, index, modality_group=group)
        for group in {embeddings.modality_group(entry.image.modality) for entry in found}
    }
    return [
        Hit(
            rank=rank,
            study=entry.study,
            image=entry.image,
            similarity=entry.similarity,
            percentile=percentile(
                spread[embeddings.modality_group(entry.image.modality)], entry.similarity
            ),
            labels=said.get(entry.study.id, ()),
            query_image=entry.query.image,
        )
        for rank, entry in enumerate(found, start=1)
    ]


def percentile(spread: NDArray[np.float64], value: float) -> float | None:
    """Where ``value`` stands among the sorted similarities ``spread``, in [0, 100].

    None where there are too few to say.
    """
    if len(spread) < PERCENTILE_MIN_PAIRS:
        return None
    return 100.0 * float(np.searchsorted(spread, value, side="right")) / len(spread)


def archive_similarities(
    connection: Connection, index: VectorIndex, *, modality_group: str
) -> NDArray[np.float64]:
    """The archive's own similarities between images of different patients, sorted.

    Taken over the pairs of some 400 images; a hash of the ids chooses them, so that the same
    archive always gives the same sample.
    """
    live = (
        Embedding.space_id == index.space_id,
        Embedding.modality_group == modality_group,
        *_held(index),
    )
    count = connection.execute(select(func.count()).where(*live)).scalar_one()
    stride = max(1, count // PERCENTILE_SAMPLE)
    rows = connection.execute(
        select(Embedding.id, Study.id, Study.patient_id, Study.issuer_of_patient_id)
        .join(Study, Study.id == Embedding.study_id)
        .where(*live, func.mod(func.abs(func.hashint8(Embedding.id)), stride) == 0)
        .order_by(Embedding.id)
        .limit(2 * PERCENTILE_SAMPLE)
    ).all()
    return _similarities_between_patients(
        index.vectors([row[0] for row in rows]),
        [(patient, issuer) if patient else (study, None) for _, study, patient, issuer in rows],
    )


def _similarities_between_patients(
    vectors: NDArray[np.float32], patients: Sequence[tuple[object, object]]
) -> NDArray[np.float64]:
    numbers = {patient: number for number, patient in enumerate(dict.fromkeys(patients))}
    who = np.array([numbers[patient] for patient in patients], dtype=np.int64)
    first, second = np.triu_indices(len(who), k=1)
    apart = who[first] != who[second]
    cosines = vectors.astype(np.float64) @ vectors.astype(np.float64).T
    return np.sort(cosines[first[apart], second[apart]])
