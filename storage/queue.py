"""Queues in PostgreSQL: rows claimed with a lease, tried again with back-off, and a dead letter.

Two tables are queues, ``jobs`` and ``sends``. A row is *queued*, *running* under a lease, *done*,
or *failed*: the dead letter, kept with its reason until somebody asks for a retry.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, case, func, or_, select, update
from sqlalchemy.engine import Connection

from storage.database import notify
from storage.tables import Job, Send

SUSPECT = "a worker died while it had this in hand"
"""The reason of a row that is best worked with no other beside it."""
_MOST_DOUBLINGS = 62
"""Far beyond any longest wait; from 1024 on the product is no float any more."""


@dataclass(frozen=True)
class RetryRule:
    """How often a row is tried, and how long it waits: ``first_wait_s`` doubled each time."""

    attempts: int
    first_wait_s: float
    longest_wait_s: float = 3600.0

    def wait_s(self, attempts: int) -> float:
        """Seconds to wait after the ``attempts``-th try failed."""
        doublings = min(attempts - 1, _MOST_DOUBLINGS)
        return float(min(self.longest_wait_s, self.first_wait_s * 2**doublings))


@dataclass(frozen=True)
class Queue:
    """One table used as a queue; ``topic`` is what its listeners are woken by.

    ``together`` says that a node has several rows in hand at once.
    """

    table: type[Job] | type[Send]
    topic: str
    together: bool = False

    def claim(
        self,
        connection: Connection,
        *,
        node: str,
        lease_s: float,
        where: Sequence[ColumnElement[bool]] = (),
    ) -> Row[*tuple[Any, ...]] | None:
        """Takes the node's row that has waited longest, or one whose lease ran out.

        Only rows that fulfil ``where`` are taken.
        """
        taken = self.claim_several(connection, node=node, lease_s=lease_s, most=1, where=where)
        return taken[0] if taken else None

    def claim_several(
        self,
        connection: Connection,
        *,
        node: str,
        lease_s: float,
        most: int,
        where: Sequence[ColumnElement[bool]] = (),
    ) -> Sequence[Row[*tuple[Any, ...]]]:
        """The same with up to ``most`` rows, those first that have waited longest."""
        table = self.table
        waiting = (
            select(table.id)
            .where(
                table.node == node,
                *where,
                or_(
                    and_(table.state == "queued", table.run_after <= func.now()),
                    and_(table.state == "running", table.lease_until < func.now()),
                ),
            )
            .order_by(table.run_after, table.id)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        taken = connection.execute(
            update(table)
            # an array: a plan might run a subquery several times, and take more than ``most``
            .where(table.id == func.any(func.array(waiting.scalar_subquery())))
            .values(
                state="running",
                attempts=table.attempts + 1,
                lease_until=func.now() + timedelta(seconds=lease_s),
            )
            .returning(*table.__table__.columns)
        )
        return sorted(taken, key=lambda row: (row.run_after, row.id))

    def done(self, connection: Connection, *row_ids: int) -> None:
        """Ends rows well."""
        self._end(connection, row_ids, state="done", reason=None)

    def failed(self, connection: Connection, row_id: int, reason: str) -> None:
        """Puts a row among the dead letters."""
        self._end(connection, [row_id], state="failed", reason=reason)

    def _end(self, connection: Connection, row_ids: Sequence[int], **values: str | None) -> None:
        if not row_ids:
            return
        connection.execute(
            update(self.table)
            .where(self.table.id == func.any(list(row_ids)))
            .values(finished_at=func.now(), lease_until=None, **values)
        )

    def again(
        self, connection: Connection, row: Row[*tuple[Any, ...]], reason: str, rule: RetryRule
    ) -> bool:
        """Queues a row again after a wait, or ends it as failed; True if it will be tried again."""
        if row.attempts >= rule.attempts:
            self.failed(connection, row.id, reason)
            return False
        wait = timedelta(seconds=rule.wait_s(row.attempts))
        connection.execute(
            update(self.table)
            .where(self.table.id == row.id)
            .values(
                state="queued",
                reason=reason,
                run_after=func.now() + wait,
                lease_until=None,
            )
        )
        return True

    def release(self, connection: Connection, *, node: str, died: bool = True) -> int:
        """Gives back what ``node`` had claimed when it died or let go; returns how many rows.

        What waits comes before them. The tries do not count, unless it died: perhaps it was of
        the row. Where there may be several, each becomes ``SUSPECT``, and only the try of one
        that was alone counts.
        """
        table = self.table
        held = and_(table.state == "running", table.node == node)
        values: dict[str, Any] = {} if died else {"attempts": table.attempts - 1}
        if died and self.together:
            several = select(func.count() > 1).select_from(table).where(held).scalar_subquery()
            innocent = case((several, 1), else_=0)
            values = {"reason": SUSPECT, "attempts": table.attempts - innocent}
        freed = connection.execute(
            update(table)
            .where(held)
            .values(state="queued", run_after=func.now(), lease_until=None, **values)
        )
        notify(connection, self.topic)
        return freed.rowcount

    def count_waiting(self, connection: Connection, *, node: str) -> int:
        """How many of the node's rows are to be worked, now or later."""
        return connection.execute(
            select(func.count()).where(
                self.table.node == node, self.table.state.in_(("queued", "running"))
            )
        ).scalar_one()

    def count_by_state(self, connection: Connection) -> dict[str, int]:
        """How many rows stand in each state."""
        rows = connection.execute(select(self.table.state, func.count()).group_by(self.table.state))
        return dict(rows.all())


JOBS = Queue(Job, "jobs", together=True)
SENDS = Queue(Send, "sends")
