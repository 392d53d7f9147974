"""Reports on their way back: sent, tried again with longer waits, given up, sent on demand."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from pydicom.uid import (
    Comprehensive3DSRStorage,
    CTImageStorage,
    EnhancedSRStorage,
    SecondaryCaptureImageStorage,
)
from sqlalchemy import Engine, Row, text

from dicom_node.delivery import Delivery
from dicom_node.settings import Peer, ReportSettings, Settings, WorkSettings
from storage import sends
from storage.queue import SENDS
from tests.dicom_node.conftest import NODE
from tests.dicom_node.receivers import peer_at, picture_file, receiver, refusal, report_file
from tests.storage.made import queue_report, refuse_sends
from tests.waiting import wait_until

ALL = (Comprehensive3DSRStorage, EnhancedSRStorage, SecondaryCaptureImageStorage)


def _queue_report(
    engine: Engine,
    study: str = "1.2.3",
    peer: str = "pacs",
    picture: bytes | None = None,
    report: bytes | None = None,
) -> None:
    uid = None if picture is None else f"{study}.10"
    with engine.begin() as connection:
        queue_report(
            connection,
            study,
            report_file(study) if report is None else report,
            peer=peer,
            picture_sop_instance_uid=uid,
            picture_dicom=picture,
        )


def _delivery(engine: Engine, *peers: Peer, attempts: int = 3, wait_s: float = 0) -> Delivery:
    work = WorkSettings(send_attempts=attempts, first_wait_s=wait_s)
    return Delivery(engine, Settings(peers=peers, work=work), node=NODE)


def _send(engine: Engine) -> Row[*tuple[Any, ...]]:
    with engine.connect() as connection:
        return connection.execute(text("SELECT *, run_after - now() AS wait FROM sends")).one()


def test_a_queued_report_is_sent_once(engine: Engine, free_port: int) -> None:
    _queue_report(engine)
    delivery = _delivery(engine, peer_at(free_port))
    with receiver(free_port) as got:
        assert delivery.send_next()
        assert not delivery.send_next()
    assert [dataset.StudyInstanceUID for dataset in got.datasets] == ["1.2.3"]
    assert _send(engine).state == "done"


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        (ALL, (Comprehensive3DSRStorage, SecondaryCaptureImageStorage)),
        (ALL[1:], (EnhancedSRStorage, SecondaryCaptureImageStorage)),
        (ALL[:1], (Comprehensive3DSRStorage,)),
        (ALL[2:], (SecondaryCaptureImageStorage,)),
    ],
)
def test_what_the_peer_took_is_kept(
    engine: Engine, free_port: int, accepted: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    _queue_report(engine, picture=picture_file())
    with receiver(free_port, sop_classes=accepted) as got:
        assert _delivery(engine, peer_at(free_port)).send_next()
    row = _send(engine)
    assert (row.state, row.commitment, row.attempts) == ("done", None, 1)
    assert row.taken == [
        {"sop_class_uid": str(uid), "sop_instance_uid": instance}
        for uid, instance in zip(expected, got.uids(), strict=True)
    ]


def test_what_is_half_taken_is_sent_again_whole(engine: Engine, free_port: int) -> None:
    """An archive knows what it has by its SOP Instance UID."""
    _queue_report(engine, picture=picture_file())
    delivery = _delivery(engine, peer_at(free_port))
    with receiver(free_port, sop_classes=ALL) as got:
        got.answers[SecondaryCaptureImageStorage] = 0xA700
        assert delivery.send_next()
        assert "the picture answered 0xA700" in _send(engine).reason
        got.answers.clear()
        assert delivery.send_next()
    assert got.uids()[:2] == got.uids()[2:]
    assert (_send(engine).state, _send(engine).reason) == ("done", None)


def test_a_peer_that_is_to_commit_will_be_asked(engine: Engine, free_port: int) -> None:
    """From then on the tries are those of the commitment."""
    _queue_report(engine, picture=picture_file())
    with receiver(free_port, sop_classes=ALL):
        assert _delivery(engine, peer_at(free_port, storage_commitment=True)).send_next()
    row = _send(engine)
    assert (row.state, row.commitment, row.attempts) == ("done", "wanted", 0)
    assert row.wait <= timedelta()


def test_a_warning_ends_the_send(engine: Engine, free_port: int) -> None:
    _queue_report(engine)
    with receiver(free_port, 0xB000):
        assert _delivery(engine, peer_at(free_port)).send_next()
    assert _send(engine).state == "done"


def test_a_refused_report_waits_longer_each_time(engine: Engine, free_port: int) -> None:
    _queue_report(engine)
    delivery = _delivery(engine, peer_at(free_port), attempts=12, wait_s=100)
    waits = []
    with receiver(free_port, 0xA700):
        for _ in range(3):
            assert delivery.send_next()
            assert not delivery.send_next()
            waits.append(round(_send(engine).wait / timedelta(seconds=100)))
            _make_due(engine)
    assert waits == [1, 2, 4]
    assert "answered 0xA700" in _send(engine).reason


def _make_due(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE sends SET run_after = now()"))


def test_a_report_is_given_up_and_sent_again_on_demand(engine: Engine, free_port: int) -> None:
    _queue_report(engine)
    delivery = _delivery(engine, peer_at(free_port), attempts=2)
    assert delivery.send_next()
    assert delivery.send_next()
    assert not delivery.send_next()
    with engine.begin() as connection:
        (given_up,) = sends.given_up(connection)
        assert (given_up.study_instance_uid, given_up.peer) == ("1.2.3", "pacs")
        assert "does not answer" in (given_up.reason or "")
        assert sends.retry(connection, "1.2.4") == 0
        assert sends.retry(connection, "1.2.3") == 1
        assert sends.retry(connection, None) == 0
    with receiver(free_port) as got:
        assert delivery.send_next()
    assert len(got.datasets) == 1


def test_all_given_up_reports_are_sent_again_at_once(engine: Engine, free_port: int) -> None:
    for study in ("1.2.3", "1.2.4"):
        _queue_report(engine, study)
    delivery = _delivery(engine, peer_at(free_port), attempts=1)
    assert delivery.send_next()
    assert delivery.send_next()
    with engine.begin() as connection:
        assert sends.retry(connection, None) == 2
    with receiver(free_port) as got:
        assert delivery.send_next()
        assert delivery.send_next()
    assert sorted(entry.StudyInstanceUID for entry in got.datasets) == ["1.2.3", "1.2.4"]


@pytest.mark.parametrize(
    ("peers", "reason"),
    [
        ((), "the settings name no peer 'pacs'"),
        ((Peer(name="pacs", ae_title="PACS"),), "give no host and port"),
        ((peer_at(104, host="no host"),), "its host has no address"),
    ],
)
def test_a_peer_that_cannot_be_reached_by_the_settings_is_a_reason(
    engine: Engine, peers: tuple[Peer, ...], reason: str
) -> None:
    _queue_report(engine)
    assert _delivery(engine, *peers, attempts=1).send_next()
    assert _send(engine).state == "failed"
    assert reason in _send(engine).reason


def test_a_peer_without_reports_is_a_reason(engine: Engine, free_port: int) -> None:
    _queue_report(engine)
    with receiver(free_port, sop_classes=[CTImageStorage]):
        assert _delivery(engine, peer_at(free_port)).send_next()
    assert "does not take Comprehensive 3D SR Storage" in _send(engine).reason


def test_one_peer_that_is_down_does_not_keep_back_the_others(
    engine: Engine, free_port: int
) -> None:
    _queue_report(engine, "1.2.3", peer="down")
    _queue_report(engine, "1.2.4")
    delivery = _delivery(engine, peer_at(free_port), peer_at(1, name="down"), wait_s=100)
    with receiver(free_port) as got:
        assert delivery.send_next()
        assert delivery.send_next()
    assert [dataset.StudyInstanceUID for dataset in got.datasets] == ["1.2.4"]


def test_a_running_delivery_wakes_for_a_report_and_takes_back_what_died(
    engine: Engine, free_port: int
) -> None:
    """The first was claimed by an earlier life of this node, killed before it was sent."""
    _queue_report(engine, "1.2.3")
    with engine.begin() as connection:
        assert SENDS.claim(connection, node=NODE, lease_s=3600) is not None
    stop = threading.Event()
    thread = threading.Thread(target=_delivery(engine, peer_at(free_port)).run, args=(stop,))
    with receiver(free_port) as got:
        thread.start()
        wait_until(lambda: len(got.datasets) == 1, "the earlier report to be sent")
        _queue_report(engine, "1.2.4")
        wait_until(lambda: len(got.datasets) == 2, "the new report to be sent")
        stop.set()
        thread.join()


def test_a_silent_peer_rests_while_the_others_get_theirs(engine: Engine, free_port: int) -> None:
    """Each try of a host that swallows packets takes ten seconds: it must not come before all."""
    for number in range(3):
        _queue_report(engine, f"1.2.{number}", peer="silent")
    _queue_report(engine, "1.2.9")
    silent = peer_at(1, name="silent")
    delivery = _delivery(engine, peer_at(free_port), silent, wait_s=100)
    with receiver(free_port) as got:
        assert delivery.send_next()
        assert delivery.send_next()
        assert not delivery.send_next()
    assert [dataset.StudyInstanceUID for dataset in got.datasets] == ["1.2.9"]
    assert _attempts(engine, "silent") == [0, 0, 1]


def test_a_peer_whose_name_does_not_resolve_rests(engine: Engine) -> None:
    """A name server that is away may take as long to say so as a host."""
    for study in ("1.2.3", "1.2.4"):
        _queue_report(engine, study)
    delivery = _delivery(engine, peer_at(104, host="no-such-host.invalid"), wait_s=100)
    assert delivery.send_next()
    assert not delivery.send_next()
    assert _attempts(engine, "pacs") == [0, 1]


def test_a_silent_peer_that_is_back_gets_all(engine: Engine, free_port: int) -> None:
    for number in range(3):
        _queue_report(engine, f"1.2.{number}")
    delivery = _delivery(engine, peer_at(free_port))
    assert delivery.send_next()
    with receiver(free_port) as got:
        while delivery.send_next():
            pass
    assert len(got.datasets) == 3


def _attempts(engine: Engine, peer: str) -> list[int]:
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT attempts FROM sends WHERE peer = :peer ORDER BY 1"), {"peer": peer}
        )
        return list(rows.scalars())


def test_a_comment_that_no_database_takes_is_a_reason(engine: Engine, free_port: int) -> None:
    """PostgreSQL takes no NUL: it was sent again and again, for the outcome could not be kept."""
    _queue_report(engine)
    delivery = _delivery(engine, peer_at(free_port), attempts=2)
    with receiver(free_port, refusal(0xC000, "cannot\0understand")) as got:
        while delivery.send_next():
            pass
    assert len(got.datasets) == 2
    assert _send(engine).state == "failed"
    assert _send(engine).reason.endswith("answered 0xC000 cannot understand")


@pytest.mark.parametrize(("answer", "refused"), [(0x0000, "done"), (0xA700, "queued")])
def test_an_outcome_that_the_database_refuses_ends_the_send(
    engine: Engine, free_port: int, answer: int, refused: str
) -> None:
    """As a trigger of the site's does; the data are to blame, and no wait mends that."""
    _queue_report(engine)
    refuse_sends(engine, f"NEW.state = '{refused}'")
    delivery = _delivery(engine, peer_at(free_port))
    with receiver(free_port, answer) as got:
        while delivery.send_next():
            pass
    assert len(got.datasets) == 1
    row = _send(engine)
    assert (row.state, row.reason) == (
        *("failed", "its outcome is refused by the database: not for this site"),
    )


@pytest.mark.parametrize(
    ("report", "picture", "said"),
    [(b"junk", None, "the report cannot be read"), (None, b"junk", "the picture cannot be read")],
)
def test_what_cannot_be_read_is_a_dead_letter_and_stops_no_other(
    engine: Engine, free_port: int, report: bytes | None, picture: bytes | None, said: str
) -> None:
    _queue_report(engine, "1.2.3", report=report, picture=picture)
    _queue_report(engine, "1.2.4")
    delivery = _delivery(engine, peer_at(free_port), attempts=1)
    with receiver(free_port) as got:
        while delivery.send_next():
            pass
    assert [dataset.StudyInstanceUID for dataset in got.datasets] == ["1.2.4"]
    with engine.connect() as connection:
        (entry,) = sends.given_up(connection)
    assert said in (entry.reason or "")


def test_a_send_of_which_the_node_died_each_time_is_a_dead_letter(
    engine: Engine, free_port: int
) -> None:
    _queue_report(engine)
    for _ in range(3):
        with engine.begin() as connection:
            assert SENDS.claim(connection, node=NODE, lease_s=60) is not None
            assert SENDS.release(connection, node=NODE) == 1
    delivery = _delivery(engine, peer_at(free_port), attempts=3)
    with receiver(free_port) as got:
        assert delivery.send_next()
        assert not delivery.send_next()
    assert not got.datasets
    assert _send(engine).reason.startswith("tried 3 times: each time the node ended before")


def test_a_report_that_names_others_is_kept_back_under_case_numbers(
    engine: Engine, free_port: int
) -> None:
    _queue_report(engine)
    rules = ReportSettings(privacy="pseudonymous")
    settings = Settings(peers=(peer_at(free_port),), report=rules)
    with receiver(free_port) as got:
        assert Delivery(engine, settings, node=NODE).send_next()
    assert got.datasets == []
    assert _send(engine).state == "failed"
    assert "made under report.privacy 'identified'" in _send(engine).reason
