"""The vector spaces of an archive: the one that answers, and others beside it."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from storage.answer import SpaceSummary
from storage.tables import Embedding, Space

REMOVED_AT_ONCE = 10_000

Progress = dict[str, Any]
"""What is told of a space beside its definition, as JSON; ``dicom_node.changeover`` writes it."""


@dataclass(frozen=True)
class Maker:
    """How a space's encoder is made: name, path of its weights where the site set one, precision.

    An empty name stands for a space that an earlier version made and that said nothing of it.
    """

    name: str = ""
    weights: str | None = None
    precision: str = "fp32"


@dataclass(frozen=True)
class KnownSpace:
    """A space as the database knows it.

    ``used_since`` is when it was last taken into use, ``wanted_since`` since when the archive is
    being embedded into it.
    """

    summary: SpaceSummary
    maker: Maker
    created_at: datetime
    used_since: datetime | None
    wanted_since: datetime | None
    progress: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The space's id."""
        return self.summary.id


def use(connection: Connection, space: SpaceSummary, maker: Maker | None = None) -> None:
    """Makes a space known, and the one that answers from now on.

    Waits for the transactions that ``hold`` another.
    """
    alone(connection)
    told: dict[str, Any] = {} if maker is None else {"maker": asdict(maker)}
    used = {"used_since": _later_than_any(), "wanted_since": None, **told}
    _keep(connection, space, used)


def alone(connection: Connection) -> None:
    """Waits until nobody holds the space in use, and lets nobody hold it until the end."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('space_in_use'))"))


def _later_than_any() -> ColumnElement[Any]:
    # a server's clock may be set back, and the latest is the one that answers
    newest = select(func.max(Space.used_since) + text("interval '1 microsecond'"))
    return func.greatest(func.clock_timestamp(), newest.scalar_subquery())


def _keep(
    connection: Connection,
    space: SpaceSummary,
    changes: Mapping[str, Any],
    updated: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Writes a space with ``changes``; where it is known, ``updated`` goes before them."""
    connection.execute(
        upsert(Space)
        .values(
            id=space.id,
            definition=asdict(space),
            dimension=space.dimension,
            metric=space.metric,
            **changes,
        )
        .on_conflict_do_update(index_elements=[Space.id], set_={**changes, **updated})
    )


def in_use(connection: Connection) -> SpaceSummary | None:
    """The space that answers; None if no worker ever started on this database."""
    known = known_in_use(connection)
    return None if known is None else known.summary


def known_in_use(connection: Connection) -> KnownSpace | None:
    """The space that answers, with how it is made; None if no worker ever started here."""
    row = connection.execute(
        _columns()
        .where(Space.used_since.is_not(None))
        .order_by(Space.used_since.desc(), Space.id)
        .limit(1)
    ).one_or_none()
    return None if row is None else _known(row)


def hold(connection: Connection, space_id: str) -> bool:
    """Whether the space is the one that answers; it stays so until the transaction ends.

    Comes before everything else that the transaction locks.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock_shared(hashtext('space_in_use'))"))
    held = in_use(connection)
    return held is not None and held.id == space_id


def wanted(connection: Connection) -> KnownSpace | None:
    """The space that the archive is being embedded into; None if there is none."""
    row = connection.execute(
        _columns()
        .where(Space.wanted_since.is_not(None))
        .order_by(Space.wanted_since.desc(), Space.id)
        .limit(1)
    ).one_or_none()
    return None if row is None else _known(row)


def known(connection: Connection) -> list[KnownSpace]:
    """All spaces, the one that answers first, then those used last, then the newest."""
    rows = connection.execute(
        _columns().order_by(Space.used_since.desc().nulls_last(), Space.created_at.desc(), Space.id)
    )
    return [_known(row) for row in rows]


def _columns() -> Select[*tuple[Any, ...]]:
    return select(
        Space.definition,
        Space.maker,
        Space.created_at,
        Space.used_since,
        Space.wanted_since,
        Space.progress,
    )


def _known(row: Row[*tuple[Any, ...]]) -> KnownSpace:
    told = {entry.name for entry in fields(Maker)}  # a later version may tell more
    return KnownSpace(
        summary=SpaceSummary(**row.definition),
        maker=Maker(**{name: value for name, value in row.maker.items() if name in told}),
        created_at=row.created_at,
        used_since=row.used_since,
        wanted_since=row.wanted_since,
        progress=row.progress,
    )


def want(
    connection: Connection,
    space: SpaceSummary,
    maker: Maker,
    *,
    switch: bool = True,
    needed: bool = False,
) -> None:
    """Has the archive embedded into a space, instead of any other that was wanted.

    Where ``switch`` is false it is filled and kept up, but not taken into use by itself. Where
    ``needed`` is true nobody asked for it: the space in use cannot be worked in any more. Progress
    that was told of an earlier time is forgotten.
    """
    unwant(connection, besides=space.id)
    before = wanted(connection)
    told = {"switch": switch, **({"needed": True} if needed else {})}
    earlier = {} if before is None else {**before.progress}
    earlier.pop("needed", None)
    progress = {**earlier, **told}
    since = func.coalesce(Space.wanted_since, func.clock_timestamp())
    _keep(
        connection,
        space,
        {"maker": asdict(maker), "progress": progress, "wanted_since": func.clock_timestamp()},
        updated={"wanted_since": since},
    )


def unwant(connection: Connection, *, besides: str = "") -> list[str]:
    """Ends the work on wanted spaces; what was embedded stays. Returns their ids."""
    ended = connection.execute(
        update(Space)
        .where(Space.wanted_since.is_not(None), Space.id != besides)
        .values(wanted_since=None)
        .returning(Space.id)
    )
    return list(ended.scalars())


def is_wanted(connection: Connection, space_id: str) -> bool:
    """Whether the space is wanted; nobody removes it until the transaction ends."""
    row = connection.execute(
        select(Space.wanted_since)
        .where(Space.id == space_id)
        .with_for_update(read=True, key_share=True)
    ).one_or_none()
    return row is not None and row.wanted_since is not None


def note_maker(connection: Connection, space_id: str, maker: Maker) -> None:
    """Writes down how a space's encoder is made."""
    connection.execute(update(Space).where(Space.id == space_id).values(maker=asdict(maker)))


def tell(connection: Connection, space_id: str, change: Callable[[Progress], None]) -> None:
    """Changes what is told of a space; one at a time, so that several nodes may."""
    progress = connection.execute(
        select(Space.progress).where(Space.id == space_id).with_for_update(key_share=True)
    ).scalar_one_or_none()
    if progress is None:
        return
    told = deepcopy(progress)
    change(told)
    if told != progress:
        connection.execute(update(Space).where(Space.id == space_id).values(progress=told))


def must_be_free(connection: Connection, space_id: str) -> None:
    """Raises ValueError where a space answers, or is wanted; else it is neither to the end."""
    alone(connection)
    held = {entry.id for entry in (known_in_use(connection), wanted(connection)) if entry}
    if space_id in held:
        raise ValueError(f"space {space_id} is in use, or being filled")


def remove(connection: Connection, space_id: str) -> bool:
    """Deletes some of what was embedded into a space; True once that, and the space, are gone.

    Ten thousand rows at a time, for nothing is worked meanwhile: call it again until it is done.

    Raises:
        ValueError: the space answers, or is wanted.
    """
    must_be_free(connection, space_id)
    some = select(Embedding.id).where(Embedding.space_id == space_id).limit(REMOVED_AT_ONCE)
    if connection.execute(delete(Embedding).where(Embedding.id.in_(some))).rowcount:
        return False
    connection.execute(delete(Space).where(Space.id == space_id))
    return True
