"""The vector spaces of an archive: the one that answers, and others beside it."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from storage.answer import SpaceSummary
from storage.tables import Space


@dataclass(frozen=True)
class Maker:
    """How a space's encoder is made: its name, and the path of its weights where the site set one.

    An empty name stands for a space that an earlier version made and that said nothing of it.
    """

    name: str = ""
    weights: str | None = None


def use(connection: Connection, space: SpaceSummary, maker: Maker | None = None) -> None:
    """Makes a space known, and the one that answers from now on."""
    told: dict[str, Any] = {} if maker is None else {"maker": asdict(maker)}
    used = {"used_since": func.clock_timestamp(), "wanted_since": None, **told}
    connection.execute(
        upsert(Space)
        .values(
            id=space.id,
            definition=asdict(space),
            dimension=space.dimension,
            metric=space.metric,
            **used,
        )
        .on_conflict_do_update(index_elements=[Space.id], set_=used)
    )


def in_use(connection: Connection) -> SpaceSummary | None:
    """The space that answers; None if no worker ever started on this database."""
    definition = connection.execute(
        select(Space.definition)
        .where(Space.used_since.is_not(None))
        .order_by(Space.used_since.desc(), Space.id)
        .limit(1)
    ).scalar_one_or_none()
    return None if definition is None else SpaceSummary(**definition)


def hold(connection: Connection, space_id: str) -> bool:
    """Whether the space is the one that answers; it stays so until the transaction ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock_shared(hashtext('space_in_use'))"))
    held = in_use(connection)
    return held is not None and held.id == space_id
