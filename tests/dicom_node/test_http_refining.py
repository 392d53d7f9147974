"""Marks and several studies over HTTP: what is asked, what is told, what is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from dicom_node.http.routes import archive_routes
from tests.dicom_node.archive_of_made import STUDIES, UNKNOWN, made_archive, settings_of
from tests.dicom_node.http_doors import Door, running
from tests.storage.made import NODE, add_study, space, unit

FIRST, SECOND, THIRD = STUDIES
CT = "1.2.5"
WITHOUT = "1.2.6"


@pytest.fixture
def door(engine: Engine, tmp_path: Path, free_port: int) -> Iterator[Door]:
    """Three studies alike, one of another modality and one without a vector."""
    made_archive(engine, tmp_path)
    with engine.begin() as connection:
        add_study(connection, space(), CT, [unit(1, 0, 0, 0)], modality="CT")
        add_study(connection, space(), WITHOUT, [])
    routes = archive_routes(engine, settings_of(tmp_path), node=NODE)
    with running(engine, free_port, routes) as opened:
        yield opened.with_token("tester")


def _hits(door: Door, query: str, **headers: str) -> tuple[list[str], object]:
    answer = door.ask(f"/studies/{FIRST}/similar?{query}", **headers).json()
    return [hit["study_instance_uid"] for hit in answer["hits"]], answer.get("refined")


def test_marks_that_come_with_the_question_refine_it(door: Door) -> None:
    hits, refined = _hits(door, f"more={THIRD}&less={SECOND}")
    assert hits == [THIRD]
    assert refined == {"by": "request", "more": [THIRD], "less": [SECOND], "left_out": []}
    assert _hits(door, "") == ([SECOND, THIRD], None)


def _mark(door: Door, hit: str, verdict: str, user: str) -> None:
    given = {"query": FIRST, "hit": hit, "verdict": verdict}
    assert door.ask("/feedback", "POST", given, Likeness_User=user).status == 204


def test_each_reader_refines_by_marks_of_his_own(door: Door) -> None:
    _mark(door, SECOND, "not similar", "ann")
    _mark(door, THIRD, "similar", "bob")
    ann = {"by": "feedback", "more": [], "less": [SECOND], "left_out": []}
    bob = {"by": "feedback", "more": [THIRD], "less": [], "left_out": []}
    assert _hits(door, "refine=feedback", Likeness_User="ann") == ([THIRD], ann)
    assert _hits(door, "refine=feedback", Likeness_User="bob")[1] == bob
    assert _hits(door, "", Likeness_User="ann") == ([SECOND, THIRD], None)


def test_further_studies_are_asked_with(door: Door) -> None:
    answer = door.ask(f"/studies/{FIRST}/similar?also={SECOND}").json()
    assert [hit["study_instance_uid"] for hit in answer["hits"]] == [THIRD]
    assert (answer["also"], answer["searched"]) == ([SECOND], 1)


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        (f"more={UNKNOWN}", 404, f"study {UNKNOWN} is not in this archive"),
        (f"also={UNKNOWN}", 404, f"study {UNKNOWN} is not in this archive"),
        (f"also={WITHOUT}", 409, f"study {WITHOUT} has no vector in space"),
        (f"less={WITHOUT}", 422, f"study {WITHOUT} has no image that compares"),
        (f"more={CT}", 422, f"study {CT} has no image that compares"),
        (f"more={FIRST}", 422, f"study {FIRST} is asked with: it cannot be marked"),
        (f"also={FIRST}", 422, f"study {FIRST} is asked with twice"),
        (f"also={SECOND}&less={SECOND}", 422, f"study {SECOND} is asked with: it cannot"),
        (f"more={SECOND}&less={SECOND}", 422, f"study {SECOND} is to be both more and less"),
        (f"more={SECOND}&refine=feedback", 422, "refine: takes the reader's marks, and more"),
        ("more=x", 422, "more: takes Study Instance UIDs"),
    ],
)
def test_what_makes_no_question_says_why_and_is_not_audited(
    door: Door, query: str, status: int, says: str
) -> None:
    found = door.ask(f"/studies/{FIRST}/similar?{query}").refusal()
    assert (found[0], found[1][: len(says)]) == (status, says)
    assert door.asked_by() == []


def test_the_audit_says_what_was_asked_with(door: Door) -> None:
    _hits(door, f"also={THIRD}&less={SECOND}")
    _hits(door, "")
    with door.engine.connect() as connection:
        kept = connection.execute(text("SELECT asked_with FROM queries ORDER BY id")).scalars()
        refined = {"more": [], "less": [SECOND], "left_out": [], "by_reader": False}
        assert list(kept) == [{"also": [THIRD], "refined": refined}, {}]
