"""Storage commitment for what was sent (PS3.4 annex J): asked for, awaited, recorded.

A send that is done goes on as *wanted*, then *asked* under a transaction of which the peer is to
report, and ends *committed* or *failed*. It is marked as asked before the peer is: the report may
come before the answer, and whoever is killed in between asks again after the wait; if the peer did
not take the request, it is set back. ``attempts`` and ``run_after`` count and time this, as they
did the sending; ``reason`` is what last went wrong, until the peer commits.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Select, func, select, update
from sqlalchemy.engine import Connection

from storage.queue import SENDS, RetryRule
from storage.sends import SOPReference
from storage.tables import Report, Send, Study

OPEN = ("wanted", "asked")


@dataclass(frozen=True)
class Commitment:
    """A send as far as its commitment goes.

    Attributes:
        id: its row.
        peer: by its name in the settings.
        state, commitment: how far the send and its commitment are.
        taken: what the peer stored and is to keep.
        attempts: how often the peer was asked, or the report sent again for its sake.
        reason: what last went wrong, if anything did.
        transaction_uid: under which the peer was last asked, if it was.
    """

    id: int
    study_instance_uid: str
    peer: str
    state: str
    commitment: str | None
    taken: tuple[SOPReference, ...]
    attempts: int
    reason: str | None
    transaction_uid: str | None


def next_due(
    connection: Connection, *, node: str, resting: Collection[str] = ()
) -> Commitment | None:
    """The node's send that is to be asked for first, or again; held until the transaction ends.

    None of a peer that is ``resting``.
    """
    return _found(
        connection,
        _commitments()
        .where(
            Send.node == node,
            Send.state == "done",
            Send.commitment.in_(OPEN),
            Send.run_after <= func.now(),
            Send.peer.not_in(list(resting)),
        )
        .order_by(Send.run_after, Send.id)
        .limit(1)
        .with_for_update(of=Send, skip_locked=True),
    )


def of_transaction(connection: Connection, transaction_uid: str) -> Commitment | None:
    """The send that was last asked for under a transaction; held until the transaction ends."""
    return _found(
        connection,
        _commitments().where(Send.transaction_uid == transaction_uid).with_for_update(of=Send),
    )


def mark_asked(
    connection: Connection, send_id: int, *, transaction_uid: str, wait_s: float
) -> None:
    """The peer is asked now; after ``wait_s`` without a result it is to be asked again."""
    _update(
        connection,
        send_id,
        commitment="asked",
        transaction_uid=transaction_uid,
        commitment_asked_at=func.now(),
        attempts=Send.attempts + 1,
        run_after=func.now() + timedelta(seconds=wait_s),
    )


def not_taken(
    connection: Connection,
    due: Commitment,
    transaction_uid: str,
    reason: str,
    *,
    wait_s: float,
) -> None:
    """The peer did not take the request for ``due``: it is to be asked again after ``wait_s``.

    Until then it may report all the same, for perhaps only its answer was lost.
    """
    _update_asked(connection, transaction_uid, wait_s, commitment=due.commitment, reason=reason)


def not_reached(
    connection: Connection,
    due: Commitment,
    transaction_uid: str,
    reason: str,
    *,
    wait_s: float,
) -> None:
    """The request for ``due`` did not go out: it is to be asked for again after ``wait_s``.

    Until then all is as it was: the try does not count, and an earlier transaction goes on.
    """
    before = {
        "commitment": due.commitment,
        "attempts": Send.attempts - 1,
        "transaction_uid": due.transaction_uid,
    }
    _update_asked(connection, transaction_uid, wait_s, reason=reason, **before)


def _update_asked(connection: Connection, asked: str, wait_s: float, **values: Any) -> None:
    """Changes the send that was asked for under a transaction, unless the result came first."""
    connection.execute(
        update(Send)
        .where(Send.transaction_uid == asked, Send.commitment == "asked")
        .values(run_after=func.now() + timedelta(seconds=wait_s), **values)
    )


def no_longer_wanted(connection: Connection, send_id: int) -> None:
    """The settings ask the peer for nothing: it stored the report, and that is all."""
    _update(connection, send_id, commitment=None, reason=None)


def committed(connection: Connection, send_id: int) -> None:
    """The peer keeps everything, even if nobody waited for that any more."""
    _update(connection, send_id, commitment="committed", state="done", reason=None)


def give_up(connection: Connection, send_id: int, reason: str) -> None:
    """Puts a send among the dead letters: stored, and not committed."""
    _update(connection, send_id, commitment="failed", state="failed", reason=reason)


def send_again(connection: Connection, send_id: int, reason: str, rule: RetryRule) -> bool:
    """The peer does not keep what it stored: it is sent again after a wait, True, or given up.

    To send it again is of use only if a try is left to ask once more.
    """
    row = connection.execute(select(Send.id, Send.attempts).where(Send.id == send_id)).one()
    if row.attempts + 1 >= rule.attempts:
        give_up(connection, send_id, reason)
        return False
    _update(connection, send_id, commitment="failed", transaction_uid=None, finished_at=None)
    return SENDS.again(connection, row, reason, rule)


def _update(connection: Connection, send_id: int, **values: Any) -> None:
    connection.execute(update(Send).where(Send.id == send_id).values(**values))


def _commitments() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Send.id,
            Study.study_instance_uid,
            Send.peer,
            Send.state,
            Send.commitment,
            Send.taken,
            Send.attempts,
            Send.reason,
            Send.transaction_uid,
        )
        .join(Report, Report.id == Send.report_id)
        .join(Study, Study.id == Report.study_id)
    )


def _found(connection: Connection, query: Select[*tuple[Any, ...]]) -> Commitment | None:
    row: Row[*tuple[Any, ...]] | None = connection.execute(query).one_or_none()
    if row is None:
        return None
    taken = tuple(SOPReference(**reference) for reference in row.taken or ())
    return Commitment(**{**row._asdict(), "taken": taken})
