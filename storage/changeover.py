"""One space filled from another, image by image, until it can answer in its place.

A vector of the wanted space is good while the space in use has a live one of the same image, of
the same study and made of the same bytes. So the table itself says what is left to do: whoever is
killed in the middle finds it there again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Row,
    and_,
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
_Gone = aliased(Embedding, name="gone")


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


def picture_of(connection: Connection, image: MissingImage) -> bytes | None:
    """The picture that stands with the image's vector in the space in use; None if it is gone."""
    return connection.execute(
        select(Embedding.picture).where(Embedding.id == image.id)
    ).scalar_one_or_none()


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
    some = select(_To.id).where(*_surplus(in_use, wanted)).limit(SURPLUS_AT_ONCE)
    found = list(connection.execute(some).scalars())  # takes seconds in a large archive: no lock
    if not found:
        return 0
    _begin(connection, in_use, wanted)
    _retire_all(connection, in_use, wanted, found)
    return len(found)


@dataclass(frozen=True)
class Looked:
    """What a look through the whole archive found: true up to the change ``seen`` of ``before``."""

    before: SpaceSummary
    seen: int
    gap: Gap
    surplus: Sequence[int]


@dataclass(frozen=True)
class Switch:
    """What a switch came to: whether the space is in use now, and what it lacks.

    ``looked`` is there where only images are missing that came after the look: once they are
    filled, the next attempt need not look through the archive again.
    """

    is_done: bool
    gap: Gap
    looked: Looked | None = None


def switch(
    connection: Connection,
    space: SpaceSummary,
    *,
    incomplete: bool = False,
    only_if_wanted: bool = False,
    looked: Looked | None = None,
) -> Switch:
    """Takes a space into use if it lacks nothing, or ``incomplete`` is said.

    Waits for the transactions that hold the space in use. They wait for this one in turn, but not
    for the look through the whole archive: that is done before, unless an earlier attempt has
    ``looked``, and what came since is looked at behind the lock.

    Studies of which nothing is in the new space are set aside, so that whoever sends them again
    has them worked; those that another switch had set aside, and that are in it, are indexed
    again.
    """
    looked = looked or _look(connection, space)
    if looked is None:
        return Switch(is_done=False, gap=Gap(0, 0, 0))
    before, seen, found = looked.before, looked.seen, looked.gap
    not_done = Switch(is_done=False, gap=found)
    if found.missing and not incomplete:
        return not_done
    spaces.alone(connection)
    wanted = spaces.wanted(connection)
    is_wanted = wanted is not None and wanted.id == space.id
    if spaces.in_use(connection) != before or (only_if_wanted and not is_wanted):
        return not_done
    embeddings.one_writer_at_a_time(connection)
    late = missing(connection, in_use=before.id, wanted=space.id, after=seen, limit=1)
    if late and not incomplete:
        return Switch(
            is_done=False, gap=replace(found, missing=found.missing + len(late)), looked=looked
        )
    late_surplus = _retired_since(connection, before.id, space.id, seen)
    _retire_all(connection, before.id, space.id, [*looked.surplus, *late_surplus])
    spaces.use(connection, space)
    _leave_behind(connection, before.id, space.id)
    return Switch(is_done=True, gap=found)


def _look(connection: Connection, space: SpaceSummary) -> Looked | None:
    """Looks through the archive for what a space lacks; None if it, or none, is in use."""
    before = spaces.in_use(connection)
    if before is None or before.id == space.id:
        return None
    seen = embeddings.newest_change(connection, space_id=before.id)
    found = gap(connection, in_use=before.id, wanted=space.id)
    surplus = connection.execute(select(_To.id).where(*_surplus(before.id, space.id))).scalars()
    return Looked(before, seen, found, list(surplus))


def left_behind(connection: Connection, space_id: str) -> int:
    """How many studies are set aside because a change to the space found no pixels of them."""
    return connection.execute(
        select(func.count(Study.id)).where(
            Study.state == "failed", Study.reason.startswith(f"{LEFT_BEHIND}{space_id} ")
        )
    ).scalar_one()


def _retired_since(connection: Connection, in_use: str, wanted: str, seen: int) -> list[int]:
    """What the wanted space has of images that the one in use retired after that change."""
    rows = connection.execute(
        select(_To.id)
        .join(_Gone, and_(*_good(_Gone, _To)))
        .where(_Gone.space_id == in_use, _Gone.retired_at.is_not(None), _Gone.change > seen)
        .where(*_surplus(in_use, wanted))
    )
    return list(rows.scalars())


def _retire_all(connection: Connection, in_use: str, wanted: str, ids: Sequence[int]) -> None:
    for at in range(0, len(ids), SURPLUS_AT_ONCE):
        some = list(ids[at : at + SURPLUS_AT_ONCE])
        still = select(_To.id).where(*_surplus(in_use, wanted), _To.id == func.any(some))
        embeddings.retire(connection, wanted, Embedding.id.in_(still))


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
