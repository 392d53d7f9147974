"""Reports on demand, on a real database: found, made once, made anew, queued for peers."""

import threading
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from dicom_node.report_facts import as_png, facts
from dicom_node.reporting import (
    NoPictureError,
    Reporting,
    Standing,
    UnknownPeerError,
    UnknownStudyError,
)
from storage import reports, spaces
from storage.index import VectorIndex, snapshot_path
from storage.reports import ReportName
from storage.search import SearchError
from tests.dicom_node.archive_of_made import (
    PIXELS,
    STUDIES,
    UNKNOWN,
    add_indexed,
    count_of,
    keep_with_picture,
    made_archive,
    reporting_of,
    secondary_capture,
    set_state,
)
from tests.storage.made import NODE, space, unit

FIRST = STUDIES[0]


@pytest.fixture
def reporting(engine: Engine, tmp_path: Path) -> Reporting:
    """Over an archive of three studies."""
    return made_archive(engine, tmp_path)


def _told(reporting: Reporting, standing: Standing) -> dict[str, Any]:
    assert standing.report is not None
    return facts(standing, reporting.file_of(standing.report))


def _made(reporting: Reporting, uid: str = FIRST, *, again: bool = False) -> ReportName:
    report = reporting.make(uid, asked_by="test", again=again).report
    assert report is not None
    return report


def _hits(reporting: Reporting, uid: str) -> int:
    standing = reporting.make(uid, asked_by="test", again=True)
    found: int = _told(reporting, standing)["report"]["hits"]
    return found


def test_a_report_is_made_once_and_found_again(reporting: Reporting, engine: Engine) -> None:
    assert reporting.newest(FIRST).report is None
    first = reporting.make(FIRST, asked_by="test")
    second = reporting.make(FIRST, asked_by="test")
    assert (first.is_new, second.is_new) == (True, False)
    assert first.report == second.report == reporting.newest(FIRST).report
    assert count_of(engine, "queries") == 1  # only what was searched is audited


def test_a_new_report_names_the_one_before_as_its_predecessor(reporting: Reporting) -> None:
    first = _made(reporting)
    told = _told(reporting, reporting.make(FIRST, asked_by="test", again=True))["report"]
    assert told["sop_instance_uid"] != first.sop_instance_uid
    assert told["predecessor_sop_instance_uid"] == first.sop_instance_uid


def test_what_is_told_of_a_report_stands_in_it(reporting: Reporting) -> None:
    standing = reporting.make(FIRST, asked_by="test")
    assert standing.report is not None
    told = _told(reporting, standing)
    dataset = pydicom.dcmread(BytesIO(reporting.file_of(standing.report)))
    assert (told["state"], told["revision"], told["reason"]) == ("indexed", 1, None)
    assert told["report"] == {
        "sop_class_uid": dataset.SOPClassUID,
        "sop_instance_uid": dataset.SOPInstanceUID,
        "series_instance_uid": dataset.SeriesInstanceUID,
        "picture_sop_instance_uid": None,
        "picture_is_kept": False,
        "privacy": "identified",
        "revision": 1,
        "predecessor_sop_instance_uid": None,
        "hits": 2,
        "sends": [],
    }


@pytest.mark.parametrize("state", ["open", "queued", "failed"])
def test_no_report_is_made_while_the_study_is_not_indexed(
    reporting: Reporting, engine: Engine, state: str
) -> None:
    with engine.begin() as connection:
        set_state(connection, FIRST, state, reason="no pixels")
    standing = reporting.make(FIRST, asked_by="test", again=True)
    assert (standing.report, standing.is_awaited) == (None, state != "failed")
    assert count_of(engine, "queries") == count_of(engine, "reports") == 0
    expected = "no pixels; `likeness retry" if state == "failed" else "not indexed yet"
    assert expected in standing.why_no_report()


@pytest.mark.parametrize(("state", "revision"), [("open", 1), ("queued", 2), ("indexed", 2)])
def test_a_report_on_fewer_images_is_not_the_report(
    reporting: Reporting, engine: Engine, state: str, revision: int
) -> None:
    _made(reporting)
    with engine.begin() as connection:
        set_state(connection, FIRST, state, revision=revision)
    assert reporting.newest(FIRST).report is None


def test_a_study_that_never_came_is_named(reporting: Reporting) -> None:
    for ask in (reporting.newest, lambda uid: reporting.make(uid, asked_by="test")):
        with pytest.raises(UnknownStudyError, match=f"study {UNKNOWN} is not in this archive"):
            ask(UNKNOWN)


def test_a_study_of_another_space_cannot_be_asked_with(
    reporting: Reporting, engine: Engine
) -> None:
    with engine.begin() as connection:
        spaces.use(connection, space(name="b"))
    with pytest.raises(SearchError, match="has no vector in space space-b"):
        reporting.make(FIRST, asked_by="test")
    with engine.begin() as connection:
        spaces.use(connection, space())
    assert _hits(reporting, FIRST) == 2


def test_nothing_indexed_at_all_is_told(engine: Engine, tmp_path: Path) -> None:
    reporting = made_archive(engine, tmp_path)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM embeddings"))
        connection.execute(text("DELETE FROM spaces"))
    with pytest.raises(SearchError, match="nothing is indexed yet"):
        reporting.make(FIRST, asked_by="test")


def test_asked_by_many_at_once_it_is_made_once(engine: Engine, tmp_path: Path) -> None:
    """Half of them in this process, half in others as far as the database can tell."""
    asked = [made_archive(engine, tmp_path)] * 3
    asked += [reporting_of(engine, tmp_path) for _ in range(3)]
    threads = [threading.Thread(target=_made, args=(reporting,)) for reporting in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count_of(engine, "reports") == 1


def test_the_kept_index_follows_the_archive(reporting: Reporting, engine: Engine) -> None:
    assert _hits(reporting, FIRST) == 2
    with engine.begin() as connection:
        add_indexed(connection, "1.2.9", unit(1, 0, 0, 1))
    assert _hits(reporting, FIRST) == 3


def test_the_kept_index_is_given_up_when_the_database_was_restored(
    reporting: Reporting, engine: Engine
) -> None:
    """What came after the restore has the numbers of changes that the index has seen."""
    assert _hits(reporting, FIRST) == 2
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM embeddings WHERE change > 1"))
        connection.execute(text("SELECT setval('embedding_changes', 1)"))
        add_indexed(connection, "1.2.9", unit(1, 0, 0, 1))
    assert _hits(reporting, FIRST) == 1


def test_the_snapshot_of_the_owner_is_left_as_it_is(reporting: Reporting, tmp_path: Path) -> None:
    path = snapshot_path(tmp_path / "index", space().id)
    VectorIndex(space().id, 4).save(path)
    spoilt = path.read_bytes()[:-1]
    path.write_bytes(spoilt)
    assert _hits(reporting, FIRST) == 2
    assert path.read_bytes() == spoilt


@pytest.mark.parametrize(
    ("names", "expected"),
    [(None, ["pacs"]), ([], []), (["archive", "pacs", "archive"], ["archive", "pacs"])],
)
def test_reports_go_to_the_peers_named_or_to_those_of_the_settings(
    reporting: Reporting, names: Sequence[str] | None, expected: list[str]
) -> None:
    assert reporting.receivers(names) == expected


@pytest.mark.parametrize("name", ["pcas", "ct", "", "PACS"])
def test_a_peer_that_cannot_be_sent_to_is_told_with_those_that_can(
    reporting: Reporting, name: str
) -> None:
    with pytest.raises(UnknownPeerError, match=r"with host and port; known: pacs, archive"):
        reporting.receivers(["pacs", name])


def _states(standing: Standing) -> list[tuple[str, str, int]]:
    return [(send.peer, send.state, send.attempts) for send in standing.sends]


def test_a_report_is_queued_for_its_peers(reporting: Reporting, engine: Engine) -> None:
    made = reporting.make(FIRST, asked_by="test", peers=["pacs", "archive"])
    assert _states(made) == [("pacs", "queued", 0), ("archive", "queued", 0)]
    assert reporting.send(made, []) == made
    assert reporting.newest(FIRST).sends == made.sends
    with engine.begin() as connection:
        connection.execute(text("UPDATE sends SET state = 'failed', attempts = 9"))
    again = reporting.send(made, ["pacs"])
    assert _states(again) == [("pacs", "queued", 0), ("archive", "failed", 9)]


@pytest.mark.parametrize(
    ("state", "taken", "peers", "goes"),
    [
        ("done", "[]", None, False),
        ("done", "[]", ["pacs"], True),
        ("queued", None, None, False),
        ("queued", None, ["pacs"], True),  # its long wait is over
        ("failed", None, None, True),
        ("failed", "[]", None, False),  # it has it, though it does not promise to keep it
        ("failed", "[]", ["pacs"], True),
        ("running", None, ["pacs"], False),
    ],
)
def test_a_report_goes_again_only_where_it_is_asked_for_or_never_was(
    reporting: Reporting,
    engine: Engine,
    state: str,
    taken: str | None,
    peers: Sequence[str] | None,
    *,
    goes: bool,
) -> None:
    reporting.make(FIRST, asked_by="test", peers=None)
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE sends SET state = :s, taken = CAST(:t AS jsonb), attempts = 9, "
                "node = '2.25.7', run_after = now() + interval '1 hour'"
            ),
            {"s": state, "t": taken},
        )
    reporting.make(FIRST, asked_by="test", peers=peers)
    with engine.connect() as connection:
        now = text("SELECT state, attempts, node, run_after <= now() FROM sends")
        found = tuple(connection.execute(now).one())
    assert found == (("queued", 0, NODE, True) if goes else (state, 9, "2.25.7", False))


def test_no_report_is_kept_that_cannot_be_queued(reporting: Reporting, engine: Engine) -> None:
    """Both are one transaction."""
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE sends RENAME TO away"))
    with pytest.raises(ProgrammingError, match="sends"):
        reporting.make(FIRST, asked_by="test", peers=["pacs"])
    assert count_of(engine, "reports") == 0


def test_what_was_made_with_names_is_not_handed_out_once_there_are_to_be_none(
    reporting: Reporting, engine: Engine, tmp_path: Path
) -> None:
    named = _made(reporting)
    without = reporting_of(engine, tmp_path, privacy="pseudonymous")
    assert without.newest(FIRST).report is None
    made = without.make(FIRST, asked_by="test")
    told = _told(without, made)["report"]
    assert (made.is_new, told["privacy"]) == (True, "pseudonymous")
    assert told["predecessor_sop_instance_uid"] == named.sop_instance_uid
    assert STUDIES[1].encode() in reporting.file_of(named)
    assert STUDIES[1].encode() not in without.file_of(_made(without))
    assert without.newest(FIRST).report == made.report == reporting.newest(FIRST).report


def test_a_picture_that_is_not_there_is_told_with_the_reason(
    reporting: Reporting, engine: Engine
) -> None:
    with pytest.raises(NoPictureError, match=r"report\.picture was false"):
        reporting.picture_of(_made(reporting, STUDIES[1]))
    keep_with_picture(engine, FIRST)
    with engine.begin() as connection:
        connection.execute(text("UPDATE reports SET picture_dicom = NULL"))
    report = _made(reporting)
    assert (report.has_picture, report.lost_picture) == (False, True)
    with pytest.raises(NoPictureError, match=r"removed, by report\.keep_pictures_days"):
        reporting.picture_of(report)


@pytest.mark.parametrize("pixels", [PIXELS, PIXELS[:, :, 0]], ids=["rgb", "gray"])
def test_a_picture_has_the_same_pixels_as_png(pixels: NDArray[np.uint8]) -> None:
    png = as_png(secondary_capture(pixels))
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert np.array_equal(np.asarray(Image.open(BytesIO(png))), pixels)


def test_reports_of_several_revisions_stay(reporting: Reporting, engine: Engine) -> None:
    first = _made(reporting)
    with engine.begin() as connection:
        set_state(connection, FIRST, "indexed", revision=2)
    second = _made(reporting)
    assert (first.revision, second.revision) == (1, 2)
    with engine.connect() as connection:
        assert reports.load(connection, first.id).sop_instance_uid == first.sop_instance_uid
