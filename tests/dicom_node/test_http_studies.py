"""Studies over HTTP: their state, those like them, their pictures, labels, and what readers say."""

import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from dicom_node.console import answer_json
from dicom_node.http.routes import archive_routes
from dicom_node.shared_index import SharedIndex
from dicom_node.similar import Similar
from storage.answer import Answer
from tests.dicom_node.archive_of_made import (
    STUDIES,
    UNKNOWN,
    count_of,
    made_archive,
    set_state,
    settings_of,
)
from tests.dicom_node.http_doors import Door, running
from tests.storage.made import NODE, add_study, row_of, space, unit

FIRST, SECOND, THIRD = STUDIES
NO_UIDS = ["abc", "1.2.3%00", "1%202", "1" * 65]
PATHS = ["", "/similar", "/image.png", "/labels"]


@pytest.fixture
def door(engine: Engine, tmp_path: Path, free_port: int) -> Iterator[Door]:
    """The whole service over three studies, asked by a caller who may do everything."""
    made_archive(engine, tmp_path)
    routes = archive_routes(engine, settings_of(tmp_path), node=NODE)
    with running(engine, free_port, routes) as opened:
        yield opened.with_token("tester")


def _state(uid: str, state: str, reason: str | None = None, revision: int = 1) -> object:
    told = {"state": state, "reason": reason, "revision": revision}
    return {"study_instance_uid": uid, **told}


def _now(door: Door, uid: str, state: str, reason: str | None = None) -> None:
    with door.engine.begin() as connection:
        set_state(connection, uid, state, reason=reason)


def test_a_study_says_where_it_stands(door: Door) -> None:
    answer = door.ask(f"/studies/{FIRST}")
    assert (answer.status, answer.json()) == (200, _state(FIRST, "indexed"))
    assert answer.headers["Cache-Control"] == "no-store"
    _now(door, FIRST, "failed", "no image")
    assert door.ask(f"/studies/{FIRST}").json() == _state(FIRST, "failed", "no image")


@pytest.mark.parametrize("path", PATHS)
def test_a_study_that_never_came_is_not_found(door: Door, path: str) -> None:
    answer = door.ask(f"/studies/{UNKNOWN}{path}")
    assert answer.refusal() == (404, f"study {UNKNOWN} is not in this archive")


@pytest.mark.parametrize("uid", NO_UIDS)
def test_a_path_that_names_no_uid_is_refused(door: Door, uid: str) -> None:
    for path in PATHS:
        assert door.ask(f"/studies/{uid}{path}").refusal()[0] == 400
    assert door.ask(f"/studies/{uid}/close", "POST").refusal()[0] == 400


def test_the_answer_is_that_of_the_command_line_with_its_filters(
    door: Door, tmp_path: Path
) -> None:
    similar = Similar(door.engine, settings_of(tmp_path), index=SharedIndex(settings_of(tmp_path)))
    expected = similar.ask(FIRST, asked_by="cli")
    assert isinstance(expected, Answer)
    answer = door.ask(f"/studies/{FIRST}/similar")
    told = json.loads(json.dumps(answer_json(expected)))
    assert (answer.status, answer.json()) == (200, {**told, "filters": {}})
    assert [hit["study_instance_uid"] for hit in told["hits"]] == [SECOND, THIRD]


def test_parameters_narrow_the_answer_and_are_told(door: Door) -> None:
    answer = door.ask(f"/studies/{FIRST}/similar?k=1&modality=CR&modality=DX&age_min=50").json()
    assert [hit["rank"] for hit in answer["hits"]] == [1]
    assert (answer["asked"], answer["searched"]) == (1, 2)
    assert answer["filters"] == {"modality": "CR, DX", "age_min": "50"}
    none = door.ask(f"/studies/{FIRST}/similar?sex=M").json()
    assert (none["hits"], none["searched"]) == ([], 0)


def test_a_question_that_is_no_question_is_not_asked(door: Door) -> None:
    status, detail = door.ask(f"/studies/{FIRST}/similar?k=0&seks=F").refusal()
    assert (status, "k: takes" in detail, "'seks'" in detail) == (422, True, True)
    assert door.asked_by() == []


@pytest.mark.parametrize("state", ["open", "queued"])
def test_not_indexed_yet_is_an_answer(door: Door, state: str) -> None:
    _now(door, FIRST, state)
    answer = door.ask(f"/studies/{FIRST}/similar")
    assert (answer.status, answer.json()) == (202, _state(FIRST, state))
    assert answer.headers["Retry-After"] == "10"
    assert door.asked_by() == []


def test_a_study_that_cannot_be_asked_with_says_why(door: Door) -> None:
    _now(door, FIRST, "failed", "no image to embed")
    status, detail = door.ask(f"/studies/{FIRST}/similar").refusal()
    assert (status, "no image to embed; `likeness retry" in detail) == (409, True)
    with door.engine.begin() as connection:
        connection.execute(text("DELETE FROM embeddings"))
    assert door.ask(f"/studies/{SECOND}/similar").refusal()[0] == 409


def test_an_open_study_is_closed_once(door: Door) -> None:
    _now(door, FIRST, "open")
    answer = door.ask(f"/studies/{FIRST}/close", "POST")
    assert (answer.status, answer.json()) == (200, _state(FIRST, "queued", revision=2))
    again = door.ask(f"/studies/{FIRST}/close", "POST")
    assert again.refusal() == (409, f"study {FIRST} is not open, but queued")
    assert door.ask(f"/studies/{UNKNOWN}/close", "POST").refusal()[0] == 404


def _with_frames(door: Door, uid: str = "1.2.9") -> None:
    """A study of one instance without frames, and one with two; every picture is another."""
    with door.engine.begin() as connection:
        add_study(connection, space(), uid, [unit(1, 0, 0, 0), unit(0, 1, 0, 0), unit(0, 0, 1, 0)])
        changed = text(
            "UPDATE embeddings SET picture = convert_to(sop_instance_uid, 'UTF8'),"
            " frame = greatest(0, right(sop_instance_uid, 1)::int - 1),"
            " sop_instance_uid = CASE WHEN sop_instance_uid LIKE '%.1' THEN sop_instance_uid"
            " ELSE :uid || '.2' END WHERE study_id = :id"
        )
        connection.execute(changed, {"uid": uid, "id": row_of(connection, uid)})


@pytest.mark.parametrize(
    ("query", "picture"),
    [
        ("", b"1.2.9.1.1"),
        ("?instance=1.2.9.1.1", b"1.2.9.1.1"),
        ("?instance=1.2.9.1.1&frame=1", b"1.2.9.1.1"),
        ("?instance=1.2.9.2&frame=1", b"1.2.9.1.2"),
        ("?instance=1.2.9.2&frame=2", b"1.2.9.1.3"),
        ("?frame=2&instance=1.2.9.2", b"1.2.9.1.3"),
    ],
)
def test_the_picture_of_an_image_is_had(door: Door, query: str, picture: bytes) -> None:
    _with_frames(door)
    answer = door.ask(f"/studies/1.2.9/image.png{query}")
    assert (answer.status, answer.kind, answer.body) == (200, "image/png", picture)
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "query", ["?instance=1.2.2.1.1", "?instance=1.2.9.2&frame=3", "?instance=1.2.9.1.1&frame=2"]
)
def test_images_of_other_studies_and_frames_that_are_not_there_are_not_found(
    door: Door, query: str
) -> None:
    _with_frames(door)
    assert door.ask(f"/studies/1.2.9/image.png{query}").refusal()[0] == 404


@pytest.mark.parametrize(
    "query",
    [
        *(f"?instance={uid}" for uid in [*NO_UIDS, ""]),
        *(f"?instance=1.2&frame={n}" for n in ("0", "-1", "1.5", "", "%D9%A1", "9" * 11, "x")),
        *(f"?instance=1.2&frame={n}" for n in (2**31, 10**10 - 1)),
        "?frame=1",
        "?instance=1.2&instance=1.2",
        "?size=9",
    ],
)
def test_what_names_no_image_is_refused(door: Door, query: str) -> None:
    assert door.ask(f"/studies/{FIRST}/image.png{query}").refusal()[0] == 422


def test_a_picture_that_the_caller_has_is_not_sent_again(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "dicom_node.http"):
        first = door.ask(f"/studies/{FIRST}/image.png", Likeness_User="jo")
        tag = f'"{hashlib.sha256(b"png").hexdigest()[:32]}"'
        assert first.headers["ETag"] == tag
        for said in (tag, f'"other", W/{tag}'):
            again = door.ask(f"/studies/{FIRST}/image.png", If_None_Match=said)
            assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
    [line] = caplog.messages
    assert f"on study {FIRST} given over HTTP to http:tester/jo at 127.0.0.1" in line


def test_a_study_without_pictures_says_so(door: Door) -> None:
    with door.engine.begin() as connection:
        connection.execute(text("UPDATE embeddings SET picture = NULL"))
    _now(door, FIRST, "answered")
    status, detail = door.ask(f"/studies/{FIRST}/image.png").refusal()
    assert (status, "which is answered, has no image with a picture" in detail) == (404, True)


PNEUMONIA = {"name": "Pneumonia", "value": 1, "code": "233604007", "scheme": "SCT"}
EFFUSION = {"name": "Effusion", "value": -1, "code": None, "scheme": None}


def _said(answer: object, source: str) -> object:
    return [label | {"source": source} for label in answer]  # type: ignore[attr-defined]


def test_labels_are_put_and_had_with_their_source(door: Door) -> None:
    path = f"/studies/{FIRST}/labels"
    assert door.ask(path).json() == {"study_instance_uid": FIRST, "labels": []}
    put = door.ask(path, "PUT", {"labels": [PNEUMONIA, EFFUSION]})
    assert put.status == 200
    assert put.json()["labels"] == _said([EFFUSION, PNEUMONIA], "http:tester")
    assert door.ask(path).json() == put.json()
    hits = door.ask(f"/studies/{SECOND}/similar?label=Pneumonia").json()["hits"]
    assert [hit["study_instance_uid"] for hit in hits] == [FIRST]


def test_a_put_replaces_only_what_the_same_token_said(door: Door) -> None:
    path, other = f"/studies/{FIRST}/labels", door.with_token("other")
    door.ask(path, "PUT", {"labels": [PNEUMONIA]})
    other.ask(path, "PUT", {"labels": [PNEUMONIA, EFFUSION]})
    left = door.ask(path, "PUT", {"labels": []}, Likeness_User="jo").json()["labels"]
    assert left == _said([EFFUSION, PNEUMONIA], "http:other")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (None, 422),
        (b"{", 400),
        ([PNEUMONIA], 422),
        ({"labels": None}, 422),
        ({"labels": [PNEUMONIA, PNEUMONIA]}, 422),
        ({"labels": [{}]}, 422),
        ({"labels": [{"name": ""}]}, 422),
        ({"labels": [{"name": " a"}]}, 422),
        ({"labels": [{"name": "a\0"}]}, 422),
        ({"labels": [{"name": "x" * 257}]}, 422),
        (b'{"labels": [{"name": "\\ud800"}]}', 400),
        ({"labels": [{"name": "a", "value": 2}]}, 422),
        ({"labels": [{"name": "a", "value": True}]}, 422),
        ({"labels": [{"name": "a", "value": 1.0}]}, 422),
        ({"labels": [{"name": "a", "code": "1"}]}, 422),
        ({"labels": [{"name": "a", "scheme": "SCT"}]}, 422),
        ({"labels": [{"name": "a", "source": "http:other"}]}, 422),
        ({"labels": [{"name": str(n)} for n in range(201)]}, 422),
    ],
)
def test_labels_that_are_none_are_refused_as_a_whole(door: Door, body: object, status: int) -> None:
    door.ask(f"/studies/{FIRST}/labels", "PUT", {"labels": [EFFUSION]})
    answer = door.ask(f"/studies/{FIRST}/labels", "PUT", body)
    assert answer.refusal()[0] == status
    assert count_of(door.engine, "labels") == 1


def test_labels_of_a_study_that_never_came_are_not_kept(door: Door) -> None:
    answer = door.ask(f"/studies/{UNKNOWN}/labels", "PUT", {"labels": [EFFUSION]})
    assert answer.refusal()[0] == 404


THUMB = {"query": FIRST, "hit": SECOND, "verdict": "similar", "rank": 1, "filters": {"sex": "F"}}


def _verdicts(door: Door) -> list[tuple[object, ...]]:
    with door.engine.connect() as connection:
        rows = connection.execute(
            text("SELECT given_by, verdict, rank, filters, space_id FROM feedback ORDER BY id")
        )
        return [tuple(row) for row in rows]


def test_feedback_is_kept_for_each_reader_and_taken_back(door: Door) -> None:
    for user in ("jo", "li"):
        answer = door.ask("/feedback", "POST", THUMB, Likeness_User=user)
        assert (answer.status, answer.body) == (204, b"")
    door.ask("/feedback", "POST", {**THUMB, "verdict": "not similar"}, Likeness_User="jo")
    kept = {row[0]: row[1:] for row in _verdicts(door)}
    rest = (1, {"sex": "F"}, space().id)
    assert kept == {
        "http:tester/jo": ("not similar", *rest),
        "http:tester/li": ("similar", *rest),
    }
    taken = {"query": FIRST, "hit": SECOND, "verdict": None}
    assert door.ask("/feedback", "POST", taken, Likeness_User="jo").status == 204
    assert [row[0] for row in _verdicts(door)] == ["http:tester/li"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"query": UNKNOWN}, 404),
        ({"hit": UNKNOWN}, 404),
        ({"hit": UNKNOWN, "verdict": None}, 404),
        ({"hit": FIRST}, 422),
        ({"query": "x"}, 422),
        ({"query": ""}, 422),
        ({"query": "1\n"}, 422),
        ({"verdict": "so so"}, 422),
        ({"verdict": 1}, 422),
        ({"rank": 0}, 422),
        ({"rank": 101}, 422),
        ({"rank": "1"}, 422),
        ({"rank": True}, 422),
        ({"filters": {"shoe": "9"}}, 422),
        ({"filters": {"sex": "\0"}}, 422),
        ({"filters": {"sex": 1}}, 422),
        ({"filters": {"label": "x" * 20000}}, 422),
        ({"filters": None}, 422),
        ({"by": "me"}, 422),
    ],
)
def test_feedback_that_makes_no_sense_is_refused(
    door: Door, change: dict[str, object], status: int
) -> None:
    assert door.ask("/feedback", "POST", THUMB | change).refusal()[0] == status
    assert _verdicts(door) == []


@pytest.mark.parametrize("body", [None, {}, [], b"{"])
def test_feedback_without_a_verdict_is_refused(door: Door, body: object) -> None:
    assert door.ask("/feedback", "POST", body).refusal()[0] in {400, 422}


def test_a_database_that_is_away_is_told(door: Door) -> None:
    with door.engine.begin() as connection:
        connection.execute(text("ALTER TABLE studies RENAME TO away"))
    asks = [door.ask(f"/studies/{FIRST}{path}") for path in PATHS]
    asks += [door.ask(f"/studies/{FIRST}/close", "POST"), door.ask("/feedback", "POST", THUMB)]
    asks.append(door.ask(f"/studies/{FIRST}/labels", "PUT", {"labels": []}))
    for answer in asks:
        assert answer.refusal() == (503, "the database does not answer: ask again later")
        assert answer.headers["Retry-After"] == "10"
