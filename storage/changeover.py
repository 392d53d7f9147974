"""One space filled from another, image by image, until it can answer in its place.

A vector of the wanted space is good while the space in use has a live one of the same image, of
the same study and made of the same bytes. So the table itself says what is left to do: whoever is
killed in the middle finds it there again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Row,
    bindparam,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection
from sqlalchemy.orm import aliased

from storage import embeddings, spaces
from storage.answer import ImageReference, SpaceSummary
from storage.tables import EMBEDDING_CHANGES, Embedding, Instance, Series, Study

SURPLUS_AT_ONCE = 1000
LEFT_BEHIND = "the change to space "
"""How the reason begins of a study that was left behind by a changeover."""


class NotInUseError(Exception):
    """Another space answers by now, or the space is not wanted any more: nothing was written."""


@dataclass(frozen=True)
class Gap:
    """How a space differs from the one in use.

    ``images`` are the live ones of the space in use, ``missing`` those of them that the other
    lacks, and ``surplus`` what only the other has and should have no more.
    """

    images: int
    missing: int
    surplus: int


@dataclass(frozen=True)
class MissingImage:
    """An image that a space lacks.

    ``id`` and ``change`` are those of the vector in the space in use; ``sha256`` is the digest of
    the data set that it was made of, ``recorded_sha256`` that of the instance as it now is, which
    lies, or lay, in the spool of ``node`` under ``spool_name``.
    """

    id: int
    change: int
    study_instance_uid: str
    image: ImageReference
    sha256: str | None
    recorded_sha256: str | None
    node: str | None
    spool_name: str | None


@dataclass(frozen=True)
class Filled:
    """A vector for a missing image: float32, shape (dimension,), unit length.

    ``pixel_rules`` and ``picture`` are None where they are those of the vector in use.
    """

    id: int
    vector: NDArray[np.float32]
    produced_by: Mapping[str, Any]
    pixel_rules: Mapping[str, Any] | None = None
    picture: bytes | None = None


_From, _To = aliased(Embedding, name="source"), aliased(Embedding, name="target")


def _live(of: Any, space_id: str) -> tuple[ColumnElement[bool], ...]:
    return of.space_id == space_id, of.retired_at.is_(None)


def _same_image(one: Any, other: Any) -> tuple[ColumnElement[bool], ...]:
    return one.sop_instance_uid == other.sop_instance_uid, one.frame == other.frame


def _good(one: Any, other: Any) -> tuple[ColumnElement[bool], ...]:
    made_of, other_made_of = (side.produced_by["sha256"].astext for side in (one, other))
    return (
        *_same_image(one, other),
        one.study_id == other.study_id,
        made_of.is_not_distinct_from(other_made_of),
    )


def _without(one: Any, space_id: str, other: Any, other_space: str) -> list[ColumnElement[bool]]:
    """The live vectors of a space that have no good one in the other."""
    has = exists().where(*_live(other, other_space), *_good(one, other))
    return [*_live(one, space_id), ~has]


def _surplus(in_use: str, wanted: str) -> list[ColumnElement[bool]]:
    """What only the other space has, and the archive has no more.

    That is an image that is not recorded with these bytes in this study, or that the space in use
    retired since. What was left behind by a changeover is only lacking there, and stays.
    """
    made_of = _To.produced_by["sha256"].astext
    is_recorded = exists().where(
        Instance.sop_instance_uid == _To.sop_instance_uid,
        Instance.sha256 == func.coalesce(made_of, Instance.sha256),
        Series.id == Instance.series_id,
        Series.study_id == _To.study_id,
    )
    # by the numbers of changes: a time is that of a transaction's beginning
    was_retired = exists().where(
        _From.space_id == in_use,
        _From.retired_at.is_not(None),
        _From.change > _To.change,
        *_good(_From, _To),
    )
    return [*_without(_To, wanted, _From, in_use), ~is_recorded | was_retired]


def gap(connection: Connection, *, in_use: str, wanted: str) -> Gap:
    """How the space ``wanted`` differs from the one in use."""

    def count(of: Any, conditions: Sequence[ColumnElement[bool]]) -> int:
        return connection.execute(select(func.count(of.id)).where(*conditions)).scalar_one()

    return Gap(
        images=count(_From, _live(_From, in_use)),
        missing=count(_From, _without(_From, in_use, _To, wanted)),
        surplus=count(_To, _surplus(in_use, wanted)),
    )


def missing(
    connection: Connection, *, in_use: str, wanted: str, after: int, limit: int
) -> list[MissingImage]:
    """The next images that ``wanted`` lacks, in the order of changes, after that one."""
    rows = connection.execute(
        select(
            _From.id,
            _From.change,
            _From.image,
            _From.produced_by["sha256"].astext.label("sha256"),
            Study.study_instance_uid,
            Instance.sha256.label("recorded_sha256"),
            Instance.node,
            Instance.spool_name,
        )
        .join(Study, Study.id == _From.study_id)
        .outerjoin(Instance, Instance.sop_instance_uid == _From.sop_instance_uid)
        .where(*_without(_From, in_use, _To, wanted), _From.change > after)
        .order_by(_From.change)
        .limit(limit)
    )
    return [_missing_image(row) for row in rows]


def _missing_image(row: Row[*tuple[Any, ...]]) -> MissingImage:
    return MissingImage(**{**row._asdict(), "image": embeddings.image_of(row.image)})


def fill(
    connection: Connection, *, in_use: str, wanted: SpaceSummary, filled: Sequence[Filled]
) -> int:
    """Writes vectors for missing images; returns how many, for some may be missing no more.

    Study and picture are copied from the vector in use.

    Raises:
        NotInUseError: there is nothing to be filled any more.
        VectorError: a vector is not finite, of another dimension, or not of unit length.
    """
    vectors = {one.id: embeddings.checked(one.vector, wanted.dimension) for one in filled}
    _begin(connection, in_use, wanted.id)
    still = set(
        connection.execute(
            select(_From.id).where(
                *_without(_From, in_use, _To, wanted.id), _From.id == func.any(list(vectors))
            )
        ).scalars()
    )
    _retire_stale(connection, wanted.id, still)
    rows = [
        {
            "source_id": one.id,
            "new_vector": vectors[one.id].tobytes(),
            "new_produced_by": dict(one.produced_by),
            "new_rules": {} if one.pixel_rules is None else {"pixel_rules": one.pixel_rules},
            "new_picture": one.picture,
        }
        for one in filled
        if one.id in still
    ]
    if rows:
        connection.execute(_copies(wanted.id), rows)
    return len(rows)


def _begin(connection: Connection, in_use: str, wanted: str) -> None:
    # In this order, as everywhere: who switches waits for the first, a remover for the second.
    if not spaces.hold(connection, in_use) or not spaces.is_wanted(connection, wanted):
        raise NotInUseError(f"space {in_use} is not in use, or {wanted} not wanted, any more")
    embeddings.one_writer_at_a_time(connection)


def _retire_stale(connection: Connection, wanted: str, sources: Collection[int]) -> None:
    """What the wanted space has of the same images, made of other bytes or of another study."""
    embeddings.retire(
        connection,
        wanted,
        exists().where(_From.id == func.any(list(sources)), *_same_image(_From, Embedding)),
    )


def _copies(wanted: str) -> Any:
    """An insert of one vector beside that of ``source_id``."""
    columns: dict[str, Any] = {
        "change": EMBEDDING_CHANGES.next_value(),
        "space_id": literal(wanted),
        "study_id": _From.study_id,
        "modality_group": _From.modality_group,
        "sop_instance_uid": _From.sop_instance_uid,
        "frame": _From.frame,
        "image": _From.image.op("||")(bindparam("new_rules", type_=JSONB())),
        "produced_by": bindparam("new_produced_by", type_=JSONB()),
        "vector": bindparam("new_vector", type_=Embedding.vector.type),
        "picture": func.coalesce(
            bindparam("new_picture", type_=Embedding.picture.type), _From.picture
        ),
    }
    one = select(*columns.values()).where(_From.id == bindparam("source_id"))
    return insert(Embedding).from_select(list(columns), one)


def retire_surplus(connection: Connection, *, in_use: str, wanted: str) -> int:
    """Retires some of what the archive has no more, but the wanted space; returns how many.

    Raises:
        NotInUseError: there is nothing to be filled any more.
    """
    found = _some_surplus(connection, in_use, wanted)  # seconds in a large archive: no lock yet
    if not found:
        return 0
    _begin(connection, in_use, wanted)
    still = select(_To.id).where(*_surplus(in_use, wanted), _To.id == func.any(found))
    embeddings.retire(connection, wanted, Embedding.id.in_(still))
    return len(found)


def _some_surplus(connection: Connection, in_use: str, wanted: str) -> list[int]:
    some = select(_To.id).where(*_surplus(in_use, wanted)).limit(SURPLUS_AT_ONCE)
    return list(connection.execute(some).scalars())


def switch(connection: Connection, space: SpaceSummary, *, incomplete: bool = False) -> Gap:
    """Takes a space into use if it lacks nothing, or ``incomplete`` is said; returns what it lacks.

    Waits for the transactions that hold the space in use. Studies of which nothing is in the new
    space are set aside, so that whoever sends them again has them worked; those that another
    switch had set aside, and that are in it, are indexed again.
    """
    spaces.alone(connection)
    before = spaces.in_use(connection)
    if before is None or before.id == space.id:
        return Gap(0, 0, 0)
    embeddings.one_writer_at_a_time(connection)
    found = gap(connection, in_use=before.id, wanted=space.id)
    if found.missing and not incomplete:
        return found
    while some := _some_surplus(connection, before.id, space.id):
        embeddings.retire(connection, space.id, Embedding.id == func.any(some))
    spaces.use(connection, space)
    _leave_behind(connection, before.id, space.id)
    return found


def _leave_behind(connection: Connection, before: str, now: str) -> None:
    has = exists().where(Embedding.study_id == Study.id, *_live(Embedding, now))
    had = exists().where(Embedding.study_id == Study.id, *_live(Embedding, before))
    reason = f"{LEFT_BEHIND}{now} found no pixels of it: send it again"
    connection.execute(
        update(Study)
        .where(Study.state == "indexed", had, ~has)
        .values(state="failed", reason=reason)
    )
    connection.execute(
        update(Study)
        .where(Study.state == "failed", Study.reason.startswith(LEFT_BEHIND), has)
        .values(state="indexed", reason=None)
    )
