"""Storage commitment with pynetdicom as the archive, over real sockets and a real database."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage
from sqlalchemy import Engine, Row, text

from dicom_node.commitment import StorageCommitment
from dicom_node.event_information import CommitmentResult
from dicom_node.receiver_events import AssociationEnded, CommitmentReported
from dicom_node.scp import start_scp
from dicom_node.settings import Peer, Settings, WorkSettings
from dicom_node.spool import Spool
from storage import commitments, reports, sends, studies
from storage.queue import SENDS
from storage.sends import SOPReference
from tests.conftest import find_free_port
from tests.dicom_node.archives import archive, report, result_of
from tests.dicom_node.conftest import NODE
from tests.dicom_node.receivers import peer_at, receiver, refusal
from tests.dicom_node.receiving import CONTEXTS, settings_for
from tests.storage.made import queue_report, received, refuse_sends, row_of
from tests.waiting import wait_until

REPORT_UID, PICTURE_UID = "1.2.3.9", "1.2.3.10"
TAKEN = (
    SOPReference("1.2.840.10008.5.1.4.1.1.88.34", REPORT_UID),
    SOPReference(SecondaryCaptureImageStorage, PICTURE_UID),
)
BOTH = [REPORT_UID, PICTURE_UID]


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_node.commitment_request.LINGER_S", 0.2)


@pytest.fixture
def sent(engine: Engine) -> None:
    """A report that the peer ``pacs`` stored and is to commit to."""
    with engine.begin() as connection:
        studies.record(connection, received("1.2.3", "1.2.3.1.1"), received_by=NODE)
        kept = reports.add(
            connection,
            reports.NewReport(
                study_id=row_of(connection, "1.2.3"),
                revision=1,
                series_instance_uid="1",
                sop_class_uid="2",
                sop_instance_uid=REPORT_UID,
                dicom=b"report",
            ),
        )
        reports.send_to(connection, kept, peer="pacs", node=NODE)
        row = SENDS.claim(connection, node=NODE, lease_s=60)
        assert row is not None
        sends.sent(connection, row, TAKEN, commitment_wanted=True)


def _committing(
    engine: Engine, *peers: Peer, attempts: int = 3, wait_s: float = 100
) -> StorageCommitment:
    work = WorkSettings(send_attempts=attempts, first_wait_s=wait_s)
    return StorageCommitment(engine, Settings(peers=peers, work=work), node=NODE)


def _peer(port: int, **changes: Any) -> Peer:
    return peer_at(port, **{"storage_commitment": True, **changes})


def _row(engine: Engine) -> Row[*tuple[Any, ...]]:
    with engine.connect() as connection:
        return connection.execute(text("SELECT *, run_after - now() AS wait FROM sends")).one()


def _make_due(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE sends SET run_after = now()"))


@contextmanager
def _our_port(folder: Path, commitment: StorageCommitment, *peers: Peer) -> Iterator[int]:
    """Where peers report, heard by ``commitment``."""
    port = find_free_port()
    server = start_scp(settings_for(folder, port, *peers), CONTEXTS, Spool(folder), commitment.take)
    try:
        yield port
    finally:
        server.shutdown()


def _asked(engine: Engine, commitment: StorageCommitment) -> str:
    """The transaction under which the peer was asked."""
    assert commitment.ask_next()
    found: str = _row(engine).transaction_uid
    return found


@pytest.mark.usefixtures("sent")
def test_the_archive_is_asked_for_all_that_it_took(engine: Engine, free_port: int) -> None:
    """PS3.4 table J.3-1."""
    commitment = _committing(engine, _peer(free_port))
    with archive(free_port) as asked:
        transaction = _asked(engine, commitment)
        assert not commitment.ask_next()
    (information,) = asked.asked
    assert information.TransactionUID == transaction
    assert [
        (item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID)
        for item in information.ReferencedSOPSequence
    ] == [(reference.sop_class_uid, reference.sop_instance_uid) for reference in TAKEN]
    row = _row(engine)
    assert (row.commitment, row.attempts, row.reason) == ("asked", 1, None)
    assert timedelta(minutes=59) < row.wait <= timedelta(hours=1)


@pytest.mark.usefixtures("sent")
@pytest.mark.parametrize("failed", [{}, {PICTURE_UID: 0x0213}])
def test_a_result_on_the_same_association(
    engine: Engine, free_port: int, failed: dict[str, int]
) -> None:
    commitment = _committing(engine, _peer(free_port))
    with archive(free_port, at_once=True) as asked:
        asked.failed = failed
        _asked(engine, commitment)
        assert commitment.record_next(5)
    assert asked.statuses == [0x0000]
    assert _row(engine).commitment == ("failed" if failed else "committed")


@pytest.mark.usefixtures("sent")
def test_a_result_over_a_new_association(engine: Engine, free_port: int, tmp_path: Path) -> None:
    peer = _peer(free_port)
    commitment = _committing(engine, peer)
    with archive(free_port), _our_port(tmp_path, commitment, peer) as port:
        transaction = _asked(engine, commitment)
        assert report(port, result_of(transaction, BOTH)) == 0x0000
        assert commitment.record_next(5)
    assert (_row(engine).state, _row(engine).commitment) == ("done", "committed")


def _recorded(engine: Engine, result: Dataset, calling: str = "PACS") -> None:
    """As if the node had been started anew between the request and the report."""
    commitment = _committing(engine, _peer(1))
    committed = tuple(item.ReferencedSOPInstanceUID for item in result.ReferencedSOPSequence)
    failed = tuple(
        (str(item.ReferencedSOPInstanceUID), int(item.FailureReason))
        for item in result.get("FailedSOPSequence", [])
    )
    heard = CommitmentResult(str(result.TransactionUID), committed, failed)
    commitment.take(CommitmentReported(7, calling, heard))
    assert commitment.record_next(5)
    assert not commitment.record_next(0.01)


@pytest.mark.usefixtures("sent")
@pytest.mark.parametrize(
    ("committed", "failed", "said"),
    [
        ([REPORT_UID], {PICTURE_UID: 0x0112}, f"{PICTURE_UID} (0x0112 no such object instance)"),
        ([], dict.fromkeys(BOTH, 0x0110), f"{REPORT_UID} (0x0110 processing failure), "),
        ([REPORT_UID], {}, f"{PICTURE_UID} (not mentioned)"),
        (BOTH, {REPORT_UID: 0x0131}, f"{REPORT_UID} (0x0131 duplicate transaction UID)"),
        ([], {REPORT_UID: 0x1234}, "(0x1234 unknown reason)"),
    ],
)
def test_what_is_not_committed_is_sent_again(
    engine: Engine, free_port: int, committed: list[str], failed: dict[str, int], said: str
) -> None:
    with archive(free_port):
        transaction = _asked(engine, _committing(engine, _peer(free_port)))
    _recorded(engine, result_of(transaction, committed, failed))
    row = _row(engine)
    assert (row.state, row.commitment, row.transaction_uid) == ("queued", "failed", None)
    assert said in row.reason
    assert row.wait > timedelta(seconds=90)


@pytest.mark.usefixtures("sent")
@pytest.mark.parametrize(
    ("transaction", "calling"),
    [("2.25.404", "PACS"), (None, "ANOTHER"), ("", "PACS")],
    ids=["unknown", "of another AE", "empty"],
)
def test_a_result_that_nobody_awaits_changes_nothing(
    engine: Engine,
    free_port: int,
    caplog: pytest.LogCaptureFixture,
    transaction: str | None,
    calling: str,
) -> None:
    with archive(free_port):
        asked = _asked(engine, _committing(engine, _peer(free_port)))
    _recorded(engine, result_of(asked if transaction is None else transaction, BOTH), calling)
    assert "that we do not await" in caplog.text
    assert _row(engine).commitment == "asked"


@pytest.mark.usefixtures("sent")
def test_a_result_that_comes_twice_is_the_same(engine: Engine, free_port: int) -> None:
    with archive(free_port):
        transaction = _asked(engine, _committing(engine, _peer(free_port)))
    for failed in ({}, {}, {REPORT_UID: 0x0112}):
        _recorded(engine, result_of(transaction, BOTH, failed))
        assert (_row(engine).state, _row(engine).commitment) == ("done", "committed")


@pytest.mark.usefixtures("sent")
def test_a_result_that_does_not_come_is_asked_for_again(engine: Engine, free_port: int) -> None:
    """Under another transaction, after waits that double; then it is a dead letter."""
    waits, transactions = [], set()
    with archive(free_port) as asked:
        commitment = _committing(engine, _peer(free_port))
        for _ in range(3):
            transactions.add(_asked(engine, commitment))
            waits.append(round(_row(engine).wait / timedelta(hours=1)))
            _make_due(engine)
        assert commitment.ask_next()
        assert not commitment.ask_next()
    assert (waits, len(transactions), len(asked.asked)) == ([1, 2, 4], 3, 3)
    row = _row(engine)
    assert (row.state, row.commitment) == ("failed", "failed")
    assert row.reason == "stored, but pacs did not commit to it: no result in 3 tries"


@pytest.mark.usefixtures("sent")
def test_a_dead_letter_that_is_committed_after_all(engine: Engine, free_port: int) -> None:
    with archive(free_port):
        commitment = _committing(engine, _peer(free_port), attempts=1)
        transaction = _asked(engine, commitment)
        _make_due(engine)
        assert commitment.ask_next()
    assert _row(engine).state == "failed"
    _recorded(engine, result_of(transaction, [REPORT_UID], {PICTURE_UID: 0x0110}))
    assert _row(engine).state == "failed"
    _recorded(engine, result_of(transaction, BOTH))
    assert (_row(engine).state, _row(engine).commitment) == ("done", "committed")


@pytest.mark.usefixtures("sent")
@pytest.mark.parametrize(
    ("answer", "said"),
    [(0x0110, "N-ACTION answered 0x0110"), (0x0211, "0x0211"), (None, "no answer to N-ACTION")],
)
def test_a_request_that_is_refused_is_made_again_sooner(
    engine: Engine, free_port: int, answer: int | None, said: str
) -> None:
    """Its transaction stays good: perhaps only the answer was lost."""
    with archive(free_port) as asked:
        asked.answer = answer
        transaction = _asked(engine, _committing(engine, _peer(free_port)))
    row = _row(engine)
    assert said in row.reason
    assert timedelta(seconds=90) < row.wait <= timedelta(seconds=100)
    _recorded(engine, result_of(transaction, BOTH))
    assert (_row(engine).commitment, _row(engine).reason) == ("committed", None)


@pytest.mark.usefixtures("sent")
def test_a_peer_without_storage_commitment_is_a_reason(engine: Engine, free_port: int) -> None:
    commitment = _committing(engine, _peer(free_port), attempts=1)
    with receiver(free_port):
        assert commitment.ask_next()
    _make_due(engine)
    assert commitment.ask_next()
    with engine.connect() as connection:
        (entry,) = sends.given_up(connection)
    assert "did not commit to it: no result in 1 try; what went" in (entry.reason or "")
    assert "does not take Storage Commitment Push Model" in (entry.reason or "")


@pytest.mark.usefixtures("sent")
@pytest.mark.parametrize("peers", [(), (peer_at(104),)], ids=["not listed", "not asked"])
def test_settings_that_ask_no_longer_end_it(engine: Engine, peers: tuple[Peer, ...]) -> None:
    commitment = _committing(engine, *peers)
    assert commitment.ask_next()
    assert not commitment.ask_next()
    assert (_row(engine).state, _row(engine).commitment) == ("done", None)


@pytest.mark.usefixtures("sent")
def test_a_node_that_died_while_asking_asks_again(engine: Engine, free_port: int) -> None:
    """It marks what it asks before it asks; what follows is the wait for a result."""
    with engine.begin() as connection:
        due = commitments.next_due(connection, node=NODE)
        assert due is not None
        commitments.mark_asked(connection, due.id, transaction_uid="2.25.1", wait_s=100)
    _make_due(engine)
    with archive(free_port, at_once=True) as asked:
        commitment = _committing(engine, _peer(free_port))
        _asked(engine, commitment)
        assert commitment.record_next(5)
    assert len(asked.asked) == 1
    assert _row(engine).commitment == "committed"


@pytest.mark.usefixtures("sent")
def test_it_runs_until_it_is_told_to_stop(
    engine: Engine, free_port: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    peer, stop = _peer(free_port), threading.Event()
    commitment = _committing(engine, peer)
    thread = threading.Thread(target=commitment.run, args=(stop,))
    with (
        caplog.at_level(logging.INFO),
        archive(free_port) as asked,
        _our_port(tmp_path, commitment, peer) as port,
    ):
        thread.start()
        wait_until(lambda: asked.asked, "the archive to be asked")
        assert report(port, result_of(asked.asked[0].TransactionUID, BOTH)) == 0x0000
        wait_until(lambda: _row(engine).commitment == "committed", "the result to be recorded")
        stop.set()
        thread.join()
    assert "report on 1.2.3: pacs keeps it" in caplog.text


def test_other_events_are_not_its_business(engine: Engine) -> None:
    commitment = _committing(engine)
    commitment.take(AssociationEnded(1, "released"))
    assert not commitment.record_next(0.01)


def _also_sent(engine: Engine, study: str, peer: str) -> None:
    with engine.begin() as connection:
        queue_report(connection, study, b"report", peer=peer)
        row = SENDS.claim(connection, node=NODE, lease_s=60)
        assert row is not None
        sends.sent(connection, row, TAKEN, commitment_wanted=True)


@pytest.mark.usefixtures("sent")
def test_a_silent_peer_rests_while_the_others_are_asked(engine: Engine, free_port: int) -> None:
    """Each try of a host that swallows packets takes ten seconds: it must not come before all."""
    _also_sent(engine, "1.2.4", "pacs")
    _also_sent(engine, "1.2.5", "other")
    commitment = _committing(engine, _peer(1), _peer(free_port, name="other"))
    with archive(free_port) as asked:
        assert [commitment.ask_next() for _ in range(3)] == [True, True, False]
    assert len(asked.asked) == 1
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT peer, commitment, attempts FROM sends ORDER BY id"))
        assert rows.all() == [("pacs", "wanted", 0), ("pacs", "wanted", 0), ("other", "asked", 1)]


@pytest.mark.usefixtures("sent")
def test_an_outage_of_any_length_makes_no_dead_letter(engine: Engine, free_port: int) -> None:
    """Nobody was asked, so no try is used up, and the first result is awaited an hour."""
    commitment = _committing(engine, _peer(free_port), wait_s=0)
    for _ in range(5):
        assert commitment.ask_next()
    row = _row(engine)
    assert (row.state, row.commitment, row.attempts) == ("done", "wanted", 0)
    assert "does not answer" in row.reason
    with archive(free_port):
        assert commitment.ask_next()
    assert timedelta(minutes=59) < _row(engine).wait <= timedelta(hours=1)


@pytest.mark.usefixtures("sent")
def test_a_peer_that_is_away_when_asked_again_may_report_on_the_first(
    engine: Engine, free_port: int
) -> None:
    peer = _peer(free_port)
    with archive(free_port):
        transaction = _asked(engine, _committing(engine, peer))
    _make_due(engine)
    assert _committing(engine, peer).ask_next()
    _recorded(engine, result_of(transaction, BOTH))
    assert _row(engine).commitment == "committed"


@pytest.mark.usefixtures("sent")
def test_refused_requests_do_not_lengthen_the_wait_for_a_result(
    engine: Engine, free_port: int
) -> None:
    commitment = _committing(engine, _peer(free_port), attempts=9)
    with archive(free_port) as asked:
        for answer in (0x0110, 0x0110, 0x0110, 0x0000):
            asked.answer = answer
            _asked(engine, commitment)
            last = _row(engine)
            _make_due(engine)
    assert (last.commitment, last.attempts) == ("asked", 4)
    assert timedelta(minutes=59) < last.wait <= timedelta(hours=1)


@pytest.mark.usefixtures("sent")
def test_a_comment_that_no_database_takes_is_a_reason(engine: Engine, free_port: int) -> None:
    commitment = _committing(engine, _peer(free_port))
    with archive(free_port) as asked:
        asked.answer = refusal(0x0110, "cannot\0\x1bdo")
        assert commitment.ask_next()
    assert _row(engine).reason.endswith("N-ACTION answered 0x0110 cannot do")


@pytest.mark.usefixtures("sent")
def test_an_outcome_that_the_database_refuses_ends_it(engine: Engine, free_port: int) -> None:
    """As a trigger of the site's does; asked again, it would be refused again."""
    refuse_sends(engine, "NEW.reason LIKE '%0x0110%'")
    commitment = _committing(engine, _peer(free_port))
    with archive(free_port) as asked:
        asked.answer = 0x0110
        while commitment.ask_next():
            pass
    row = _row(engine)
    assert (row.state, row.commitment) == ("failed", "failed")
    assert row.reason == "its outcome is refused by the database: not for this site"


@pytest.mark.usefixtures("sent")
def test_a_result_that_the_database_refuses_keeps_back_no_other(
    engine: Engine, free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with archive(free_port):
        transaction = _asked(engine, _committing(engine, _peer(free_port)))
    refuse_sends(engine, "NEW.commitment = 'committed'")
    _recorded(engine, result_of(transaction, BOTH))
    assert f"on {transaction} is not recorded: refused by the database" in caplog.text
    assert _row(engine).commitment == "asked"


@pytest.mark.usefixtures("sent")
def test_with_no_try_left_to_ask_it_is_given_up_with_the_peers_own_reason(
    engine: Engine, free_port: int
) -> None:
    """It was sent again, never asked for, and said to have had no result."""
    with archive(free_port, at_once=True) as asked:
        asked.failed = {REPORT_UID: 0x0110}
        commitment = _committing(engine, _peer(free_port), attempts=2)
        _asked(engine, commitment)
        assert commitment.record_next(5)
    row = _row(engine)
    assert (row.state, row.commitment, len(asked.asked)) == ("failed", "failed", 1)
    assert f"does not commit to {REPORT_UID} (0x0110 processing failure)" in row.reason


@pytest.mark.usefixtures("sent")
def test_what_the_peer_said_stays_the_reason_when_no_result_comes(
    engine: Engine, free_port: int
) -> None:
    with archive(free_port, at_once=True) as asked:
        asked.failed = {REPORT_UID: 0x0110}
        commitment = _committing(engine, _peer(free_port))
        _asked(engine, commitment)
        assert commitment.record_next(5)
    _make_due(engine)
    with engine.begin() as connection:
        row = SENDS.claim(connection, node=NODE, lease_s=60)
        assert row is not None
        sends.sent(connection, row, TAKEN, commitment_wanted=True)
    with archive(free_port):
        _asked(engine, commitment)
        _make_due(engine)
        assert commitment.ask_next()
    assert _row(engine).state == "failed"
    assert "no result in 3 tries; what went wrong last: stored, but pacs" in _row(engine).reason
