"""What monitoring reads: counts and ages for one node, each by one short query.

Everything but the embeddings, which all nodes share, is counted for one node, so that the figures
of several nodes on one database add up.
"""

from typing import NamedTuple

from sqlalchemy import ColumnElement, Engine, and_, create_engine, exists, func, or_, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import aliased
from sqlalchemy.pool import NullPool

from storage.bounded_connection import Limits, connect_arguments, tell_psycopg2
from storage.queue import Queue
from storage.tables import Embedding, Instance, Series, Space, Study

GLANCE = Limits(statement_s=3.0, lock_s=1.0)
"""Prometheus waits 10 s for all of it."""

MOST_CHANGES = 10_000
"""How many changes of the embeddings ``made_searchable`` goes through at once."""


def looking_engine(engine: Engine) -> Engine:
    """An engine on the same database that only looks, and waits for nothing long.

    Each look is a connection of its own: it takes none from the pool that the work needs, and
    finds no stale one after an outage.
    """
    arguments = connect_arguments(GLANCE)
    tell_psycopg2()
    return create_engine(
        engine.url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        connect_args={key: arguments[key] for key in arguments.keys() - engine.url.query.keys()},
    )


def answers(looking: Engine) -> bool:
    """Whether the database answers now; ``looking`` is a ``looking_engine``."""
    try:
        with looking.connect():
            return True
    except DBAPIError:
        return False


def studies_by_state(connection: Connection, *, node: str) -> dict[str, int]:
    """How many of the node's studies stand in each state."""
    rows = connection.execute(
        select(Study.state, func.count()).where(Study.received_by == node).group_by(Study.state)
    )
    return dict(rows.all())


def queue_by_state(connection: Connection, queue: Queue, *, node: str) -> dict[str, int]:
    """How many of the node's rows stand in each state."""
    table = queue.table
    rows = connection.execute(
        select(table.state, func.count()).where(table.node == node).group_by(table.state)
    )
    return dict(rows.all())


def oldest_due_s(connection: Connection, queue: Queue, *, node: str) -> float:
    """Seconds since the node's oldest row that could be claimed became due; 0 without one."""
    oldest = select(func.min(queue.table.run_after)).where(queue.table.node == node, _due(queue))
    age = select(func.extract("epoch", func.now() - oldest.scalar_subquery()))
    return float(connection.execute(age).scalar_one() or 0.0)


def _due(queue: Queue) -> ColumnElement[bool]:
    """What ``Queue.claim`` may take."""
    table = queue.table
    return or_(
        and_(table.state == "queued", table.run_after <= func.now()),
        and_(table.state == "running", table.lease_until < func.now()),
    )


def embeddings_by_space(connection: Connection) -> dict[str, int]:
    """How many live vectors each space holds."""
    live = select(func.count()).where(
        Embedding.space_id == Space.id, Embedding.retired_at.is_(None)
    )
    rows = connection.execute(select(Space.id, live.scalar_subquery()))
    return dict(rows.all())


def newest_change(connection: Connection) -> int:
    """The watermark of the embeddings: the number of the last change made; 0 without one."""
    # space by space, because that is how the index goes
    of_space = select(func.max(Embedding.change)).where(Embedding.space_id == Space.id)
    newest = connection.execute(select(of_space.scalar_subquery()).select_from(Space)).scalars()
    return max((change for change in newest if change is not None), default=0)


class Searchable(NamedTuple):
    """Studies that became searchable: the seconds that each took, and the next watermark."""

    seconds: list[float]
    watermark: int


def made_searchable(connection: Connection, *, node: str, after: int) -> Searchable:
    """The node's studies that became searchable after the watermark ``after``.

    A study is searchable from its first vectors that were made after its last instance came. One
    that is embedded again though nothing came is not told again, nor one whose late instances
    changed no vector. Changes become visible in their order (``storage.tables.Embedding``), so
    that none is passed over. What was embedded twice since the last look is told once.
    """
    upto = min(newest_change(connection), after + MOST_CHANGES)
    made = (
        select(Embedding.study_id, Embedding.space_id, func.min(Embedding.created_at).label("at"))
        .where(
            Embedding.space_id.in_(select(Space.id)),
            Embedding.change > after,
            Embedding.change <= upto,
            Embedding.retired_at.is_(None),
        )
        .group_by(Embedding.study_id, Embedding.space_id)
        .subquery()
    )
    received = (
        select(func.max(Instance.received_at).label("at"))
        .join(Series, Series.id == Instance.series_id)
        .where(Series.study_id == made.c.study_id, Instance.received_at <= made.c.at)
        .lateral()
    )
    earlier = aliased(Embedding)
    was_searchable = exists().where(
        earlier.study_id == made.c.study_id,
        earlier.created_at >= received.c.at,
        earlier.created_at < made.c.at,
    )
    rows = connection.execute(
        select(func.extract("epoch", made.c.at - received.c.at))
        .select_from(made)
        .join(Study, Study.id == made.c.study_id)
        .join(received, received.c.at.is_not(None))
        .where(Study.received_by == node, ~was_searchable)
    )
    return Searchable([float(seconds) for seconds in rows.scalars()], upto)
