"""Reports and pictures as they are kept, and the way to their peers."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from storage import pictures, reports
from storage.queue import SENDS
from storage.reports import NewReport
from tests.storage.made import NODE, add_study, reference, space, unit


def _study(connection: Connection) -> int:
    return add_study(connection, space(), "1.2.3", [unit(1, 2, 3, 4), unit(2, 1, 0, 0)])


def _report(study_id: int, number: int = 1, **changes: Any) -> NewReport:
    names = {"series_instance_uid": f"1.9.{number}", "sop_instance_uid": f"1.9.{number}.1"}
    fixed = {"study_id": study_id, "revision": number, "sop_class_uid": "1.8", "dicom": b"report"}
    return NewReport(**{**fixed, **names, **changes})


def _sends(connection: Connection) -> Sequence[tuple[Any, ...]]:
    rows = connection.execute(text("SELECT report_id, peer, state, attempts FROM sends ORDER BY 1"))
    return [tuple(row) for row in rows]


def test_report_and_picture_come_back_byte_for_byte(engine: Engine) -> None:
    with engine.begin() as connection:
        new = _report(_study(connection), picture_sop_instance_uid="1.9.2", picture_dicom=b"pic")
        stored = reports.load(connection, reports.add(connection, new))
    assert stored.study_instance_uid == "1.2.3"
    assert (stored.dicom, stored.picture_dicom) == (b"report", b"pic")
    assert (stored.sop_instance_uid, stored.picture_sop_instance_uid) == ("1.9.1.1", "1.9.2")


def test_the_latest_report_is_the_one_made_last(engine: Engine) -> None:
    with engine.begin() as connection:
        study = _study(connection)
        assert reports.latest(connection, study) is None
        for number in (1, 2):
            reports.add(connection, _report(study, number))
        latest = reports.latest(connection, study)
        assert latest is not None
        assert reports.file_of(connection, latest.id) == b"report"
        assert reports.picture_of(connection, latest.id) is None
    assert (latest.revision, latest.has_picture, latest.lost_picture) == (2, False, False)


def test_no_uid_is_given_twice(engine: Engine) -> None:
    with engine.begin() as connection:
        study = _study(connection)
        reports.add(connection, _report(study))
        with pytest.raises(IntegrityError):
            reports.add(connection, _report(study))


def test_a_report_is_queued_once_for_each_peer(engine: Engine) -> None:
    with engine.begin() as connection:
        report = reports.add(connection, _report(_study(connection)))
        for peer in ("pacs", "pacs", "archive"):
            reports.send_to(connection, report, peer=peer, node=NODE)
        assert _sends(connection) == [
            (report, "pacs", "queued", 0),
            (report, "archive", "queued", 0),
        ]


@pytest.mark.parametrize("end", ["done", "failed"])
def test_a_report_that_was_sent_or_given_up_is_sent_again(engine: Engine, end: str) -> None:
    with engine.begin() as connection:
        report = reports.add(connection, _report(_study(connection)))
        reports.send_to(connection, report, peer="pacs", node=NODE)
        claimed = SENDS.claim(connection, node=NODE, lease_s=60)
        assert claimed is not None
        if end == "done":
            SENDS.done(connection, claimed.id)
        else:
            SENDS.failed(connection, claimed.id, "peer is away")
        reports.send_to(connection, report, peer="pacs", node=NODE)
        assert _sends(connection) == [(report, "pacs", "queued", 0)]


def test_a_report_that_is_being_sent_is_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        report = reports.add(connection, _report(_study(connection)))
        reports.send_to(connection, report, peer="pacs", node=NODE)
        SENDS.claim(connection, node=NODE, lease_s=60)
        reports.send_to(connection, report, peer="pacs", node=NODE)
        assert _sends(connection) == [(report, "pacs", "running", 1)]


@pytest.mark.parametrize(
    ("days", "send", "left"),
    [
        (1, "'done', NULL", True),
        (0, "'done', NULL", False),
        (0, "'done', 'committed'", False),
        (0, "'done', 'asked'", True),
        (0, "'queued', NULL", True),
        (0, "'failed', NULL", True),
        (0, None, False),
    ],
)
def test_a_picture_goes_when_no_send_needs_it(
    engine: Engine, days: int, send: str | None, left: bool
) -> None:
    with engine.begin() as connection:
        new = _report(_study(connection), picture_sop_instance_uid="1.9.2", picture_dicom=b"pic")
        report = reports.add(connection, new)
        if send is not None:
            reports.send_to(connection, report, peer="pacs", node=NODE)
            connection.execute(text(f"UPDATE sends SET (state, commitment) = ({send})"))
        assert reports.drop_pictures(connection, older_than=timedelta(days)) == (not left)
        stored = reports.load(connection, report)
    assert (stored.picture_dicom is not None) == left
    assert (stored.dicom, stored.picture_sop_instance_uid) == (b"report", "1.9.2")


def test_pictures_are_found_by_image_and_space(engine: Engine) -> None:
    first, unknown = reference("1.2.3.1.1"), reference("1.2.9")
    with engine.begin() as connection:
        _study(connection)
        found = pictures.of_images(connection, [first, unknown], space_id=space().id)
        assert found == {("1.2.3.1.1", None): b"png"}
        assert pictures.of_images(connection, [first], space_id="another") == {}
        assert pictures.of_images(connection, [], space_id=space().id) == {}


def test_a_retired_image_has_no_picture(engine: Engine) -> None:
    with engine.begin() as connection:
        _study(connection)
        connection.execute(text("UPDATE embeddings SET retired_at = now(), picture = NULL"))
        assert pictures.of_images(connection, [reference("1.2.3.1.1")], space_id=space().id) == {}
