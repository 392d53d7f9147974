"""The end of a send: what a peer took, or why not; those given up are listed and sent on demand."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.engine import Connection

from storage.database import notify
from storage.queue import SENDS
from storage.tables import Report, Send, Study


@dataclass(frozen=True)
class SOPReference:
    """A SOP instance that a peer stored."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True)
class UndeliveredReport:
    """A report that could not be delivered, or is not committed to, with the reason."""

    id: int
    study_instance_uid: str
    peer: str
    reason: str | None


def claim(
    connection: Connection, *, node: str, lease_s: float, resting: Collection[str] = ()
) -> Row[*tuple[Any, ...]] | None:
    """Takes the node's send that has waited longest, to none of the ``resting`` peers."""
    awake = Send.peer.not_in(list(resting))
    return SENDS.claim(connection, node=node, lease_s=lease_s, where=(awake,))


def sent(
    connection: Connection,
    row: Row[*tuple[Any, ...]],
    taken: Sequence[SOPReference],
    *,
    commitment_wanted: bool,
) -> None:
    """Ends a send well: ``row``, as it was claimed, with what the peer stored.

    From now on the tries count for the commitment, if one is wanted. Those of a send that was
    repeated because the peer did not commit go on counting, so that this, too, comes to an end,
    and its reason stays until the peer commits.
    """
    first_wanted = commitment_wanted and row.commitment is None
    still_open = commitment_wanted and row.commitment is not None
    SENDS.done(connection, row.id)
    connection.execute(
        update(Send)
        .where(Send.id == row.id)
        .values(
            taken=[asdict(reference) for reference in taken],
            commitment="wanted" if commitment_wanted else None,
            attempts=0 if first_wanted else Send.attempts,
            reason=row.reason if still_open else None,
            run_after=func.now(),
        )
    )


def given_up(connection: Connection) -> list[UndeliveredReport]:
    """The sends given up, oldest first."""
    rows = connection.execute(
        select(Send.id, Study.study_instance_uid, Send.peer, Send.reason)
        .join(Report, Report.id == Send.report_id)
        .join(Study, Study.id == Report.study_id)
        .where(Send.state == "failed")
        .order_by(Send.id)
    )
    return [UndeliveredReport(**row._asdict()) for row in rows]


def retry(connection: Connection, study_instance_uid: str | None) -> int:
    """Queues the sends given up once more: one study's, or all; returns how many.

    As if they had never been sent: what was stored, or is still to be committed, is stored again.
    """
    again = [
        entry.id
        for entry in given_up(connection)
        if study_instance_uid in (None, entry.study_instance_uid)
    ]
    nothing = dict.fromkeys(
        ("reason", "finished_at", "taken", "commitment", "commitment_asked_at", "transaction_uid")
    )
    queued = connection.execute(
        update(Send)
        # somebody else may have queued one meanwhile, and it may be on its way again
        .where(Send.id.in_(again), Send.state == "failed")
        .values(state="queued", attempts=0, run_after=func.now(), **nothing)
    )
    notify(connection, SENDS.topic)
    return queued.rowcount
