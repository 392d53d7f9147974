"""What is asked: with which images of which studies, how many hits, narrowed to what."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from storage import embeddings, studies
from storage.answer import ImageReference, Refined, SpaceSummary, StudyRecord
from storage.filters import NO_FILTERS, Filters


class Strategy(StrEnum):
    """How studies are looked for: the nearest, or those that a region grows to."""

    NEAREST = "nearest"
    COMMUNITIES = "communities"


class SearchError(Exception):
    """A question that cannot be answered; the message says why and what to do."""


class WishError(SearchError):
    """What the question asks beyond its study makes no sense; the message names it."""


class NoSuchStudyError(SearchError):
    """The question names, beside its study, one that is not here."""


@dataclass(frozen=True)
class QueryImage:
    """One image of the question: unit vector, float32, shape (dimension,).

    ``moved`` is where a refined question seeks instead, in the same form. ``slices`` are those of
    its series where they are in no database: float64, shape (slices, dimension), of unit length.
    """

    image: ImageReference
    vector: NDArray[np.float32]
    moved: NDArray[np.float32] | None = None
    slices: NDArray[np.float64] | None = None

    @property
    def sought(self) -> NDArray[np.float32]:
        """What the index is searched with."""
        return self.vector if self.moved is None else self.moved

    @property
    def group(self) -> str:
        """The modality group, within which images compare."""
        return embeddings.modality_group(self.image.modality)


@dataclass(frozen=True)
class QueryStudy:
    """A study that is asked with."""

    study: StudyRecord
    images: Sequence[QueryImage]


@dataclass(frozen=True)
class Question:
    """What is asked: the study, its images, how many hits, and the level for "similar".

    ``filters`` narrow the hits, not the patient's priors, which are listed whatever they are.
    ``also`` are further studies that are asked with: each study is found by its best image
    against any of theirs. ``refined`` names the studies whose marks moved the question, and
    ``rejected`` are the rows of those that are not to be hits again. ``strategy`` says how hits are
    looked for; priors are always the nearest.
    """

    study: StudyRecord
    images: Sequence[QueryImage]
    space: SpaceSummary
    k: int
    level: float
    filters: Filters = NO_FILTERS
    also: Sequence[QueryStudy] = ()
    refined: Refined | None = None
    rejected: tuple[int, ...] = ()
    strategy: Strategy = Strategy.NEAREST

    @property
    def is_moved(self) -> bool:
        """Whether marks have moved it: of some that were asked for none may be of use."""
        return any(image.moved is not None for image in self.all_images)

    @property
    def all_images(self) -> list[QueryImage]:
        """The images of all studies that are asked with."""
        return [*self.images, *(image for other in self.also for image in other.images)]

    @property
    def studies(self) -> list[StudyRecord]:
        """All studies that are asked with."""
        return [self.study, *(other.study for other in self.also)]

    def by_group(self) -> dict[str, list[QueryImage]]:
        """The images, those that compare with the same ones together."""
        groups: dict[str, list[QueryImage]] = {}
        for image in self.all_images:
            groups.setdefault(image.group, []).append(image)
        return groups


def query_study(connection: Connection, study_id: int, *, space: SpaceSummary) -> QueryStudy:
    """An indexed study with the vectors that it has in ``space``.

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
    return QueryStudy(study, [QueryImage(entry.image, entry.vector) for entry in stored])


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

    Raises:
        SearchError: the study has no vector in that space.
    """
    asked = query_study(connection, study_id, space=space)
    return Question(asked.study, asked.images, space, k, level, filters)


def some_at_a_time(images: Sequence[QueryImage], most: int) -> Iterator[Sequence[QueryImage]]:
    """The images in their order, ``most`` at once."""
    yield from (images[at : at + most] for at in range(0, len(images), most))
