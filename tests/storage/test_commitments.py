"""A send's commitment on its way: wanted, asked, committed, failed; nothing is asked for twice."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, Row, text
from sqlalchemy.engine import Connection

from storage import commitments, sends
from storage.queue import SENDS, RetryRule
from storage.sends import SOPReference
from tests.storage.made import NODE, queue_report

RULE = RetryRule(attempts=3, first_wait_s=100)
TAKEN = (SOPReference("1.2.9", "1.2.3.9"), SOPReference("1.2.8", "1.2.3.10"))


def _sent(connection: Connection, study: str = "1.2.3", *, wanted: bool = True) -> int:
    """A report that was sent; returns its send's row."""
    queue_report(connection, study, b"report")
    row = SENDS.claim(connection, node=NODE, lease_s=60)
    assert row is not None
    sends.sent(connection, row, TAKEN, commitment_wanted=wanted)
    found: int = row.id
    return found


def _row(connection: Connection, send_id: int) -> Row[*tuple[Any, ...]]:
    query = text("SELECT *, run_after - now() AS wait FROM sends WHERE id = :id")
    return connection.execute(query, {"id": send_id}).one()


def _asked(connection: Connection, send_id: int, transaction_uid: str = "2.25.1") -> None:
    commitments.mark_asked(connection, send_id, transaction_uid=transaction_uid, wait_s=100)


def test_what_is_wanted_is_due_with_all_that_is_asked_for(engine: Engine) -> None:
    with engine.begin() as connection:
        send_id = _sent(connection)
        due = commitments.next_due(connection, node=NODE)
    assert due == commitments.Commitment(
        send_id, "1.2.3", "pacs", "done", "wanted", TAKEN, 0, None, None
    )


def test_what_is_not_wanted_or_another_nodes_is_not_due(engine: Engine) -> None:
    with engine.begin() as connection:
        _sent(connection, wanted=False)
        assert commitments.next_due(connection, node=NODE) is None
        _sent(connection, "1.2.4")
        assert commitments.next_due(connection, node="2.25.2") is None


def test_what_a_resting_peer_stored_is_not_due(engine: Engine) -> None:
    with engine.begin() as connection:
        _sent(connection)
        assert commitments.next_due(connection, node=NODE, resting=["pacs"]) is None
        assert commitments.next_due(connection, node=NODE, resting=["another"]) is not None


def test_what_is_asked_is_due_again_after_its_wait(engine: Engine) -> None:
    with engine.begin() as connection:
        send_id = _sent(connection)
        _asked(connection, send_id)
        row = _row(connection, send_id)
        assert (row.commitment, row.transaction_uid, row.attempts) == ("asked", "2.25.1", 1)
        assert row.commitment_asked_at is not None
        assert row.wait == timedelta(seconds=100)
        assert commitments.next_due(connection, node=NODE) is None
    _make_due(engine)
    with engine.begin() as connection:
        due = commitments.next_due(connection, node=NODE)
    assert due is not None
    assert (due.commitment, due.attempts) == ("asked", 1)


def _make_due(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE sends SET run_after = now()"))


def test_two_askers_never_take_the_same(engine: Engine) -> None:
    with engine.begin() as connection:
        _sent(connection)
    with engine.begin() as first, engine.begin() as second:
        assert commitments.next_due(first, node=NODE) is not None
        assert commitments.next_due(second, node=NODE) is None


def test_a_transaction_finds_the_send_that_it_is_of_last(engine: Engine) -> None:
    with engine.begin() as connection:
        send_id = _sent(connection)
        _asked(connection, send_id, "2.25.1")
        _asked(connection, send_id, "2.25.2")
        assert commitments.of_transaction(connection, "2.25.1") is None
        found = commitments.of_transaction(connection, "2.25.2")
    assert found is not None
    assert (found.id, found.attempts) == (send_id, 2)


def _due(connection: Connection) -> commitments.Commitment:
    connection.execute(text("UPDATE sends SET run_after = now()"))
    due = commitments.next_due(connection, node=NODE)
    assert due is not None
    return due


def test_a_request_that_was_refused_is_made_again_sooner(engine: Engine) -> None:
    """It counts as a try, and its transaction stays good: perhaps only the answer was lost."""
    with engine.begin() as connection:
        send_id = _sent(connection)
        due = _due(connection)
        _asked(connection, send_id)
        commitments.not_taken(connection, due, "2.25.1", "refused", wait_s=7)
        row = _row(connection, send_id)
    assert (row.commitment, row.transaction_uid, row.reason) == ("wanted", "2.25.1", "refused")
    assert (row.attempts, row.wait) == (1, timedelta(seconds=7))


def test_a_request_that_did_not_go_out_leaves_all_as_it_was(engine: Engine) -> None:
    with engine.begin() as connection:
        send_id = _sent(connection)
        _asked(connection, send_id, "2.25.1")
        due = _due(connection)
        _asked(connection, send_id, "2.25.2")
        commitments.not_reached(connection, due, "2.25.2", "it is down", wait_s=7)
        row = _row(connection, send_id)
    assert (row.commitment, row.transaction_uid, row.attempts) == ("asked", "2.25.1", 1)
    assert (row.reason, row.wait) == ("it is down", timedelta(seconds=7))


def test_a_result_that_came_first_is_not_asked_for_again(engine: Engine) -> None:
    with engine.begin() as connection:
        send_id = _sent(connection)
        due = _due(connection)
        _asked(connection, send_id)
        commitments.committed(connection, send_id)
        commitments.not_taken(connection, due, "2.25.1", "no answer", wait_s=7)
        row = _row(connection, send_id)
    assert (row.commitment, row.state, row.reason) == ("committed", "done", None)


def test_what_is_refused_is_sent_again_until_the_tries_are_used(engine: Engine) -> None:
    """Askings and repeated sends count together, so that this comes to an end."""
    with engine.begin() as connection:
        send_id = _sent(connection)
        _asked(connection, send_id)
        assert commitments.send_again(connection, send_id, "refused", RULE)
        row = _row(connection, send_id)
        assert (row.state, row.commitment, row.transaction_uid) == ("queued", "failed", None)
        assert (row.reason, row.wait) == ("refused", timedelta(seconds=100))
    _make_due(engine)
    with engine.begin() as connection:
        claimed = SENDS.claim(connection, node=NODE, lease_s=60)
        assert claimed is not None
        sends.sent(connection, claimed, TAKEN, commitment_wanted=True)
        assert _row(connection, send_id).attempts == 2
        _asked(connection, send_id, "2.25.2")
        assert _row(connection, send_id).reason == "refused"
        assert not commitments.send_again(connection, send_id, "refused again", RULE)
        row = _row(connection, send_id)
    assert (row.state, row.commitment, row.reason) == ("failed", "failed", "refused again")


@pytest.mark.parametrize("attempts", [1, 2])
def test_nothing_is_sent_again_that_could_not_be_asked_for(engine: Engine, attempts: int) -> None:
    with engine.begin() as connection:
        send_id = _sent(connection)
        _asked(connection, send_id)
        rule = RetryRule(attempts, first_wait_s=100)
        assert not commitments.send_again(connection, send_id, "refused", rule)
        row = _row(connection, send_id)
    assert (row.state, row.commitment, row.reason) == ("failed", "failed", "refused")


def test_the_reasons_of_the_sending_are_forgotten_once_it_is_sent(engine: Engine) -> None:
    with engine.begin() as connection:
        queue_report(connection, "1.2.3", b"report")
        connection.execute(text("UPDATE sends SET reason = 'no answer'"))
        row = SENDS.claim(connection, node=NODE, lease_s=60)
        assert row is not None
        sends.sent(connection, row, TAKEN, commitment_wanted=True)
        assert _row(connection, row.id).reason is None


def test_a_send_that_is_queued_again_is_not_asked_for(engine: Engine) -> None:
    with engine.begin() as connection:
        send_id = _sent(connection)
        _asked(connection, send_id)
        commitments.send_again(connection, send_id, "refused", RULE)
    _make_due(engine)
    with engine.begin() as connection:
        assert commitments.next_due(connection, node=NODE) is None


def test_a_dead_letter_is_listed_and_starts_afresh_on_demand(engine: Engine) -> None:
    with engine.begin() as connection:
        send_id = _sent(connection)
        _asked(connection, send_id)
        commitments.give_up(connection, send_id, "no result came")
        (entry,) = sends.given_up(connection)
        assert (entry.peer, entry.reason) == ("pacs", "no result came")
        assert sends.retry(connection, None) == 1
        row = _row(connection, send_id)
    assert (row.state, row.attempts, row.commitment) == ("queued", 0, None)
    assert (row.taken, row.transaction_uid, row.commitment_asked_at) == (None, None, None)


def test_a_dead_letter_may_still_be_committed(engine: Engine) -> None:
    with engine.begin() as connection:
        send_id = _sent(connection)
        _asked(connection, send_id)
        commitments.give_up(connection, send_id, "no result came")
        found = commitments.of_transaction(connection, "2.25.1")
        assert found is not None
        assert (found.state, found.commitment) == ("failed", "failed")
        commitments.committed(connection, found.id)
        assert sends.given_up(connection) == []


def test_what_is_no_longer_wanted_is_simply_sent(engine: Engine) -> None:
    with engine.begin() as connection:
        send_id = _sent(connection)
        commitments.no_longer_wanted(connection, send_id)
        row = _row(connection, send_id)
    assert (row.state, row.commitment) == ("done", None)


@pytest.mark.parametrize("wanted", [True, False])
def test_the_tries_of_the_sending_are_forgotten_once_it_is_sent(
    engine: Engine, wanted: bool
) -> None:
    with engine.begin() as connection:
        send_id = _sent(connection, wanted=wanted)
        assert _row(connection, send_id).attempts == (0 if wanted else 1)
