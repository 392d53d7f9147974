"""How many studies a question is compared with, without counting them one by one."""

from collections.abc import Iterable

import numpy as np
from sqlalchemy import ColumnElement, Select, Text, cast, exists, func, not_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Connection
from sqlalchemy.orm import aliased

from storage.rules.question import Question
from storage.rules.rows import Left, of_same_patients
from storage.searchable import Searchable
from storage.tables import Embedding, ImageCount, Study, StudyCount


def count_images(connection: Connection, *, space_id: str, group: str) -> int:
    """How many live vectors a space has of a modality group."""
    kept = select(ImageCount.images).where(
        ImageCount.space_id == space_id, ImageCount.modality_group == group
    )
    return connection.execute(kept).scalar_one_or_none() or 0


def count_all_images(connection: Connection, *, space_id: str) -> int:
    """How many live vectors a space has."""
    kept = select(func.coalesce(func.sum(ImageCount.images), 0))
    return int(connection.execute(kept.where(ImageCount.space_id == space_id)).scalar_one())


def count_left(left: Iterable[Left]) -> int:
    """How many studies filters leave, one of several modality groups counted once."""
    return len(np.unique(np.concatenate([found.studies for found in left])))


def count_searched(connection: Connection, index: Searchable, question: Question) -> int:
    """The studies of other patients with a comparable vector that the index holds.

    What the triggers counted, less what is not theirs to know: the patient's own studies, and
    those that came since the index caught up. All in one statement, so of one moment.
    """
    groups = list(question.by_group())
    counted = select(func.coalesce(func.sum(StudyCount.studies), 0)).where(
        StudyCount.space_id == question.space.id,
        StudyCount.modality_groups.op("&&")(cast(groups, ARRAY(Text))),
    )
    own = _studies(_live(question, groups), of_same_patients(question))
    new = _studies(
        _live(question, groups),
        not_(of_same_patients(question)),
        Embedding.change > index.watermark,
        not_(_was_held(question, groups, index.watermark)),
    )
    parts = [part.scalar_subquery() for part in (counted, own, new)]
    all_of, of_patients, unknown = connection.execute(select(*parts)).one()
    return int(all_of) - int(of_patients) - int(unknown)


def _live(
    question: Question, groups: list[str], of: type[Embedding] = Embedding
) -> list[ColumnElement[bool]]:
    return [
        of.space_id == question.space.id,
        of.modality_group == func.any(groups),
        of.vector.is_not(None),
    ]


def _studies(live: list[ColumnElement[bool]], *which: ColumnElement[bool]) -> Select[int]:
    return (
        select(func.count(func.distinct(Embedding.study_id)))
        .join(Study, Study.id == Embedding.study_id)
        .where(*live, *which)
    )


def _was_held(question: Question, groups: list[str], watermark: int) -> ColumnElement[bool]:
    """Whether the index holds another vector of the study."""
    other = aliased(Embedding)
    return exists().where(
        other.study_id == Embedding.study_id,
        *_live(question, groups, other),
        other.change <= watermark,
    )
