"""Reports over HTTP: real sockets, a real database, asked well and badly."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from sqlalchemy import Engine, text

from dicom_node.http.reports import report_routes
from dicom_node.reporting import Reporting
from tests.dicom_node.archive_of_made import (
    PIXELS,
    STUDIES,
    UNKNOWN,
    count_of,
    keep_with_picture,
    made_archive,
    set_state,
)
from tests.dicom_node.http_doors import DICOM, JSON, Answered, Door, running
from tests.dicom_node.objects import STUDY, radiograph
from tests.dicom_node.worked import worked_node

FIRST = STUDIES[0]


@dataclass(frozen=True)
class ReportDoor(Door):
    """A running service that is asked for reports."""

    def get(self, uid: str = FIRST, **headers: str) -> Answered:
        """GET of a report."""
        return self.ask(f"/studies/{uid}/report", **headers)

    def picture(self, uid: str = FIRST, **headers: str) -> Answered:
        """GET of a picture."""
        return self.ask(f"/studies/{uid}/report/picture", **headers)

    def post(self, body: object = None, uid: str = FIRST, **headers: str) -> Answered:
        """POST of a report."""
        return self.ask(f"/studies/{uid}/report", "POST", body, **headers)


@contextmanager
def _service(
    engine: Engine, port: int, reporting: Reporting, **seconds: float
) -> Iterator[ReportDoor]:
    routes = report_routes(reporting, **seconds)
    with running(engine, port, routes, loopback_without_token=True):
        yield ReportDoor(port, engine)


@pytest.fixture
def door(engine: Engine, tmp_path: Path, free_port: int) -> Iterator[ReportDoor]:
    """A service over an archive of three studies."""
    with _service(engine, free_port, made_archive(engine, tmp_path)) as opened:
        yield opened


def test_a_report_is_made_by_post_and_had_by_get(door: ReportDoor) -> None:
    made = door.post()
    told = made.json()
    assert (made.status, made.headers["Location"]) == (201, f"/studies/{FIRST}/report")
    assert (told["state"], told["revision"], told["report"]["hits"]) == ("indexed", 1, 2)
    got = door.get()
    assert (got.status, got.kind) == (200, DICOM)
    report = pydicom.dcmread(BytesIO(got.body))
    assert (report.StudyInstanceUID, report.PatientID) == (FIRST, FIRST)
    assert report.SOPInstanceUID == told["report"]["sop_instance_uid"]
    assert got.headers["Content-Disposition"] == f'inline; filename="{report.SOPInstanceUID}.dcm"'
    assert got.headers["Cache-Control"] == "no-store"
    assert got.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_what_is_known_of_a_report_is_had_as_json(door: ReportDoor) -> None:
    made = door.post()
    got = door.get(Accept=JSON)
    assert (got.status, got.kind, got.json()) == (200, JSON, made.json())


def test_head_tells_the_length_only(door: ReportDoor) -> None:
    door.post()
    found = door.ask(f"/studies/{FIRST}/report", "HEAD")
    assert (found.status, found.body) == (200, b"")
    assert int(found.headers["Content-Length"]) == len(door.get().body)


def test_a_second_post_makes_no_second_report(door: ReportDoor) -> None:
    first, second = door.post(), door.post()
    assert (first.status, second.status) == (201, 200)
    uids = [answer.json()["report"]["sop_instance_uid"] for answer in (first, second)]
    assert uids[0] == uids[1]
    assert count_of(door.engine, "reports") == 1


def test_a_new_report_is_made_on_demand(door: ReportDoor) -> None:
    first = door.post().json()["report"]
    again = door.post({"new": True})
    assert again.status == 201
    assert again.json()["report"]["predecessor_sop_instance_uid"] == first["sop_instance_uid"]


@pytest.mark.parametrize(
    ("body", "peers"),
    [
        (None, ["pacs"]),
        ({}, ["pacs"]),
        ({"peers": None}, ["pacs"]),
        ({"peers": []}, []),
        ({"peers": ["archive", "pacs"]}, ["archive", "pacs"]),
    ],
)
def test_a_report_is_queued_for_the_peers_named(
    door: ReportDoor, body: object, peers: list[str]
) -> None:
    sends = door.post(body).json()["report"]["sends"]
    assert [send["peer"] for send in sends] == peers
    assert {send["state"] for send in sends} <= {"queued"}


def test_who_asked_is_audited(door: ReportDoor) -> None:
    door.post({"new": True})
    door.post({"new": True}, Likeness_User="dr. jones")
    assert door.asked_by() == ["http:127.0.0.1", "http:127.0.0.1/dr. jones"]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "image/png"),
        ("*/*", "image/png"),
        ("image/*", "image/png"),
        ("application/dicom", DICOM),
        ("image/png;q=0.5, application/dicom", DICOM),
        ("APPLICATION/DICOM;q=0.9, */*;q=0.1", DICOM),
        ("image/png;q=0, */*", DICOM),
        ("text/html, image/png;q=0.1, */*;q=0", "image/png"),
    ],
)
def test_a_picture_comes_as_the_caller_prefers_it(
    door: ReportDoor, accept: str | None, kind: str
) -> None:
    picture = keep_with_picture(door.engine, FIRST)
    got = door.picture(**({} if accept is None else {"Accept": accept}))
    assert (got.status, got.kind, got.headers["Vary"]) == (200, kind, "Accept")
    if kind == DICOM:
        assert got.body == picture
    else:
        assert np.array_equal(np.asarray(Image.open(BytesIO(got.body))), PIXELS)


@pytest.mark.parametrize("accept", ["text/html", "image/png;q=nonsense", "application/dicom;q=0"])
def test_what_is_not_served_is_not_acceptable(door: ReportDoor, accept: str) -> None:
    keep_with_picture(door.engine, FIRST)
    assert door.picture(Accept=accept).refusal()[0] == 406


def test_a_report_without_a_picture_says_so(door: ReportDoor) -> None:
    door.post()
    status, detail = door.picture().refusal()
    assert (status, "report.picture was false" in detail) == (404, True)


@pytest.mark.parametrize("state", ["open", "queued"])
def test_not_indexed_yet_is_an_answer(door: ReportDoor, state: str) -> None:
    with door.engine.begin() as connection:
        set_state(connection, FIRST, state, revision=0)
    expected = {"study_instance_uid": FIRST, "state": state, "reason": None, "revision": 0}
    for answer in (door.get(), door.picture()):
        assert (answer.status, answer.kind, answer.headers["Retry-After"]) == (202, JSON, "10")
        assert answer.json() == {**expected, "report": None}
    assert count_of(door.engine, "queries") == 0


@pytest.mark.parametrize("state", ["open", "queued"])
def test_a_post_that_comes_too_early_is_not_accepted(door: ReportDoor, state: str) -> None:
    """Nobody would remember to make the report."""
    with door.engine.begin() as connection:
        set_state(connection, FIRST, state, revision=0)
    answer = door.post()
    status, detail = answer.refusal()
    assert (status, detail.startswith(f"study {FIRST} is {state}: ")) == (503, True)
    assert detail.endswith("no report was made: POST again later")
    assert answer.headers["Retry-After"] == "10"


def _sent(door: ReportDoor) -> None:
    with door.engine.begin() as connection:
        connection.execute(text("UPDATE sends SET state = 'done', taken = '[]'"))


def test_a_second_post_sends_nothing_again_unless_peers_are_named(door: ReportDoor) -> None:
    door.post()
    _sent(door)
    (send,) = door.post().json()["report"]["sends"]
    assert (send["peer"], send["state"]) == ("pacs", "done")
    sends = door.post({"peers": ["archive", "pacs"]}).json()["report"]["sends"]
    assert [(send["peer"], send["state"]) for send in sends] == [
        ("pacs", "queued"),
        ("archive", "queued"),
    ]


def test_a_new_report_goes_where_all_reports_go(door: ReportDoor) -> None:
    door.post()
    _sent(door)
    (send,) = door.post({"new": True}).json()["report"]["sends"]
    assert (send["peer"], send["state"]) == ("pacs", "queued")


def test_a_report_whose_picture_was_removed_says_so(door: ReportDoor) -> None:
    door.post()
    with door.engine.begin() as connection:
        drawn = "UPDATE reports SET (picture_sop_instance_uid, picture_dicom) = ('1.9.2.1', 'x')"
        connection.execute(text(drawn))
    kept = door.post().json()["report"]
    with door.engine.begin() as connection:
        connection.execute(text("UPDATE reports SET picture_dicom = NULL"))
    removed = door.post({"peers": ["pacs"]}).json()["report"]
    assert (kept["picture_is_kept"], removed["picture_is_kept"]) == (True, False)
    assert removed["picture_sop_instance_uid"] == kept["picture_sop_instance_uid"]


def test_a_study_that_failed_says_why(door: ReportDoor) -> None:
    with door.engine.begin() as connection:
        set_state(connection, FIRST, "failed", reason="no image to embed")
    for answer in (door.get(), door.picture(), door.post()):
        status, detail = answer.refusal()
        assert (status, "no image to embed; `likeness retry" in detail) == (409, True)


def test_a_study_that_cannot_be_asked_with_says_why(door: ReportDoor) -> None:
    with door.engine.begin() as connection:
        connection.execute(text("DELETE FROM embeddings"))
    status, detail = door.post().refusal()
    assert (status, "has no vector in space" in detail) == (409, True)


def test_a_study_that_never_came_is_not_found(door: ReportDoor) -> None:
    for answer in (door.get(UNKNOWN), door.picture(UNKNOWN), door.post(uid=UNKNOWN)):
        assert answer.refusal() == (404, f"study {UNKNOWN} is not in this archive")


def test_a_report_that_was_not_made_is_told_with_the_remedy(door: ReportDoor) -> None:
    for answer in (door.get(), door.picture()):
        status, detail = answer.refusal()
        assert (status, detail.endswith("as it now is: POST makes one")) == (404, True)


@pytest.mark.parametrize(
    "uid", ["abc", "1.2.3%00", "1.2.3%0a", "1.2 3", "%D9%A1", "1" * 65, "1.2.3;x", "-1", "%27--"]
)
def test_a_path_that_names_no_uid_is_refused(door: ReportDoor, uid: str) -> None:
    for answer in (door.get(uid.replace(" ", "%20")), door.post(uid=uid.replace(" ", "%20"))):
        status, detail = answer.refusal()
        assert (status, "PS3.5 9.1" in detail) == (400, True)


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (b"{", 400, "Invalid JSON"),
        (b"\xff\xfe", 400, "Invalid JSON"),
        (b"[" * 60_000, 400, "Invalid JSON"),
        (b'{"new": NaN}', 422, "new: Input should be a valid boolean"),
        ([], 422, "should be an object"),
        ("true", 422, "should be an object"),
        ({"now": True}, 422, "now: Extra inputs are not permitted"),
        ({"new": "yes"}, 422, "new: Input should be a valid boolean"),
        ({"new": 1}, 422, "new: Input should be a valid boolean"),
        ({"peers": "pacs"}, 422, "peers: Input should be a valid array"),
        ({"peers": [1]}, 422, "peers/0: Input should be a valid string"),
        ({"peers": ["pacs"] * 101}, 422, "peers: List should have at most 100 items"),
        ({"peers": ["pcas"]}, 422, "name no peer 'pcas' with host and port; known: pacs"),
        ({"peers": ["ct"]}, 422, "name no peer 'ct' with host and port"),
        ({"peers": ["pacs\0"]}, 422, "name no peer 'pacs\\x00'"),
    ],
)
def test_a_body_that_asks_for_nothing_we_know_is_refused(
    door: ReportDoor, body: object, status: int, expected: str
) -> None:
    found, detail = door.post(body).refusal()
    assert (found, expected in detail) == (status, True), detail
    assert count_of(door.engine, "reports") == count_of(door.engine, "sends") == 0


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_must_be_said_to_be_json(door: ReportDoor, kind: str) -> None:
    assert door.post({}, Content_Type=kind).refusal()[0] == 415
    assert door.post({}, Content_Type="Application/JSON; charset=utf-8").status == 201


def test_a_body_may_have_64_kib_and_no_more(door: ReportDoor) -> None:
    assert door.post(b"{}" + b" " * (65_536 - 2)).status == 201
    assert door.post(b"{}" + b" " * (65_536 - 1)).refusal()[0] == 413


def test_a_body_of_unknown_length_is_counted(door: ReportDoor) -> None:
    connection = HTTPConnection("127.0.0.1", door.port, timeout=20)
    pieces = (b" " * 10_000 for _ in range(20))
    path, headers = f"/studies/{FIRST}/report", {"Content-Type": JSON}
    connection.request("POST", path, pieces, headers, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_a_body_that_ends_early_does_no_harm(door: ReportDoor) -> None:
    connection = HTTPConnection("127.0.0.1", door.port, timeout=20)
    connection.request("POST", f"/studies/{FIRST}/report", b"{", {"Content-Length": "99"})
    connection.close()
    assert door.post().status == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[::1"},
        {"Origin": "http://localhost:1"},
        {"Origin": ""},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_a_web_page_of_others_may_not_post(door: ReportDoor, headers: dict[str, str]) -> None:
    status, detail = door.post(**headers).refusal()
    assert (status, "another origin" in detail) == (403, True)
    assert count_of(door.engine, "reports") == 0


def test_a_page_of_our_own_may_post(door: ReportDoor) -> None:
    ours = f"http://127.0.0.1:{door.port}"
    assert door.post(Origin=ours, Sec_Fetch_Site="same-origin").status == 201


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_told_those_there_are(door: ReportDoor, method: str) -> None:
    answer = door.ask(f"/studies/{FIRST}/report", method)
    assert answer.refusal()[0] == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


def test_a_database_that_refuses_is_told_as_such(door: ReportDoor) -> None:
    with door.engine.begin() as connection:
        connection.execute(text("ALTER TABLE studies RENAME TO away"))
    for answer in (door.get(), door.picture(), door.post()):
        assert answer.refusal() == (503, "the database does not answer: ask again later")
        assert answer.headers["Retry-After"] == "10"
    with door.engine.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO studies"))
    assert door.post().status == 201


def test_a_database_that_hangs_is_not_waited_for(
    engine: Engine, tmp_path: Path, free_port: int
) -> None:
    """Whoever asks gets an answer in time, and the health of the node is told all the while."""
    reporting = made_archive(engine, tmp_path)
    with _service(engine, free_port, reporting, reading_s=0.3, making_s=0.3) as door:
        with engine.begin() as connection:
            connection.execute(text("LOCK TABLE studies IN ACCESS EXCLUSIVE MODE"))
            for answer in [door.get() for _ in range(6)] + [door.post() for _ in range(3)]:
                assert answer.refusal()[0] == 503
            assert door.ask("/livez").status == 200
        assert door.get(UNKNOWN).status == 404


def test_what_the_worker_made_is_served(engine: Engine, tmp_path: Path, free_port: int) -> None:
    with worked_node(engine, tmp_path) as node:
        node.receive(radiograph())
        node.work()
        reporting = Reporting(engine, node.worker.settings, node=node.worker.node)
    with _service(engine, free_port, reporting) as door:
        assert door.get(STUDY).body == node.report()
        picture = pydicom.dcmread(BytesIO(door.picture(STUDY, Accept=DICOM).body))
        image = Image.open(BytesIO(door.picture(STUDY).body))
    assert picture.StudyInstanceUID == STUDY
    assert image.size == (picture.Columns, picture.Rows)


def test_callers_at_once_get_one_report(door: ReportDoor) -> None:
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(door.post({"peers": []}).status)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 7 + [201]
    assert count_of(door.engine, "reports") == 1
