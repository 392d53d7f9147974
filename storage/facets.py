"""What a question can be narrowed to, with how many studies each choice would leave."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, func, select
from sqlalchemy.engine import Connection

from storage.tables import Embedding, Label, Study

MOST_CHOICES = 200
"""Choices of one kind, the most frequent first: nobody reads a longer list."""


@dataclass(frozen=True)
class Choice:
    """A value that a filter can ask for, and how many studies have it."""

    value: str
    studies: int


@dataclass(frozen=True)
class Facets:
    """The choices of each kind, the most frequent first, ties by value."""

    modalities: tuple[Choice, ...] = ()
    body_parts: tuple[Choice, ...] = ()
    views: tuple[Choice, ...] = ()
    sexes: tuple[Choice, ...] = ()
    labels: tuple[Choice, ...] = ()


def of_groups(connection: Connection, *, space_id: str, modality_groups: Sequence[str]) -> Facets:
    """What the studies of some modality groups (``embeddings.modality_group``) can be chosen by.

    Takes every live vector of these groups into account, whoever's it is.
    """
    live = [
        Embedding.space_id == space_id,
        Embedding.modality_group.in_(modality_groups),
        Embedding.vector.is_not(None),
    ]
    by = {
        "modalities": Embedding.image["modality"].astext,
        "body_parts": Embedding.image["body_part"].astext,
        "views": Embedding.image["view"].astext,
        "sexes": Study.sex,
    }
    found = {name: _counted(connection, value, live) for name, value in by.items()}
    return Facets(**found, labels=_labels(connection, live))


def _counted(
    connection: Connection, value: SQLColumnExpression[Any], live: list[ColumnElement[bool]]
) -> tuple[Choice, ...]:
    studies = func.count(func.distinct(Embedding.study_id))
    rows = connection.execute(
        select(value, studies)
        .join(Study, Study.id == Embedding.study_id)
        .where(*live)
        .group_by(value)
        .order_by(studies.desc(), value)
        .limit(MOST_CHOICES)
    )
    return tuple(Choice(value, count) for value, count in rows if value)


def _labels(connection: Connection, live: list[ColumnElement[bool]]) -> tuple[Choice, ...]:
    studies = func.count(func.distinct(Label.study_id))
    comparable = select(Embedding.study_id).where(*live)
    rows = connection.execute(
        select(Label.name, studies)
        .where(Label.value == 1, Label.study_id.in_(comparable))
        .group_by(Label.name)
        .order_by(studies.desc(), Label.name)
        .limit(MOST_CHOICES)
    )
    return tuple(Choice(name, count) for name, count in rows)
