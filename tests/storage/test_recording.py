"""Recording: new, identical, replaced, restored; what opens a study and what does not."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.engine import Connection

from storage import studies, study_work, surplus
from storage.received import ReceivedInstance
from storage.studies import Recorded, record, record_all
from tests.storage.made import NODE, received, row_of
from tests.waiting import wait_until

OTHER_NODE = "2.25.2"
STUDY = "1.2.3"


def _record(connection: Connection, instance: ReceivedInstance, node: str = NODE) -> Recorded:
    return record(connection, instance, received_by=node)


def _state(connection: Connection, uid: str = STUDY) -> str:
    state = studies.state_of(connection, uid)
    assert state is not None
    return state.state


def _set(connection: Connection, **columns: Any) -> None:
    for column, value in columns.items():
        connection.execute(text(f"UPDATE studies SET {column} = :value"), {"value": value})


def _files(connection: Connection) -> list[tuple[str, str | None, str]]:
    rows = connection.execute(
        text("SELECT sop_instance_uid, spool_name, node FROM instances ORDER BY 1")
    )
    return [tuple(row) for row in rows]


def _from(calling_ae: str, spool_name: str = "new", **changes: Any) -> ReceivedInstance:
    return replace(received(spool_name=spool_name), calling_ae=calling_ae, **changes)


def test_a_new_instance_opens_its_study(engine: Engine) -> None:
    with engine.begin() as connection:
        assert _record(connection, received()) is Recorded.NEW
        assert _state(connection) == "open"


def test_identical_bytes_change_nothing_and_make_the_new_file_surplus(engine: Engine) -> None:
    with engine.begin() as connection:
        _record(connection, received(spool_name="old"))
        studies.close_now(connection, STUDY)
        assert _record(connection, received(spool_name="new")) is Recorded.IDENTICAL
        assert _state(connection) == "queued"
        assert surplus.names_of(connection, node=NODE) == ["new"]


def test_a_file_recorded_twice_under_one_name_is_kept(engine: Engine) -> None:
    with engine.begin() as connection:
        _record(connection, received(spool_name="old"))
        assert _record(connection, received(spool_name="old")) is Recorded.IDENTICAL
        assert surplus.names_of(connection, node=NODE) == []


def test_other_bytes_replace_the_instance_and_reopen_the_study(engine: Engine) -> None:
    with engine.begin() as connection:
        _record(connection, received(sha256="aa", spool_name="old"))
        studies.close_now(connection, STUDY)
        done = _record(connection, received(sha256="bb", spool_name="new"))
        assert done is Recorded.REPLACED
        assert _state(connection) == "open"
        assert _files(connection) == [("1.2.3.1.1", "new", NODE)]
        assert surplus.names_of(connection, node=NODE) == ["old"]


def test_a_surplus_file_is_not_recorded_again(engine: Engine) -> None:
    """The old bytes, found once more before the disk forgot them, would else replace the new."""
    with engine.begin() as connection:
        _record(connection, received(sha256="aa", spool_name="old"))
        _record(connection, received(sha256="bb", spool_name="new"))
        assert _record(connection, received(sha256="aa", spool_name="old")) is Recorded.IDENTICAL
        assert _files(connection) == [("1.2.3.1.1", "new", NODE)]


def test_one_batch_is_recorded_as_its_instances_one_by_one(engine: Engine) -> None:
    batch = [
        received("1.1", "1.1.1", sha256="a", spool_name="1"),
        received("1.2", "1.2.1", sha256="b", spool_name="2"),
        received("1.1", "1.1.1", sha256="c", spool_name="3"),
        received("1.1", "1.1.1", sha256="c", spool_name="4"),
        received("1.1", "1.1.2", sha256="d", spool_name="5"),
    ]
    outcomes = [
        Recorded.NEW, Recorded.NEW, Recorded.REPLACED, Recorded.IDENTICAL, Recorded.NEW,
    ]  # fmt: skip
    with engine.begin() as connection:
        assert record_all(connection, batch, received_by=NODE) == outcomes
        files = [("1.1.1", "3", NODE), ("1.1.2", "5", NODE), ("1.2.1", "2", NODE)]
        assert _files(connection) == files
        assert surplus.names_of(connection, node=NODE) == ["1", "4"]


def test_the_statements_do_not_grow_with_the_instances(engine: Engine) -> None:
    """So that a study of thousands of slices costs no more for each of them."""
    assert _statements(engine, "1.1", 3) == _statements(engine, "1.2", 300)


def _statements(engine: Engine, study: str, count: int) -> int:
    batch = [received(study, f"{study}.{number}") for number in range(count)]
    said: list[str] = []

    def hear(*arguments: Any) -> None:
        said.append(arguments[2])

    event.listen(engine, "before_cursor_execute", hear)
    with engine.begin() as connection:
        record_all(connection, batch, received_by=NODE)
    event.remove(engine, "before_cursor_execute", hear)
    return len(said)


def test_an_empty_batch_does_nothing(engine: Engine) -> None:
    with engine.begin() as connection:
        assert record_all(connection, [], received_by=NODE) == []


def test_an_instance_sent_again_under_another_study_reopens_both(engine: Engine) -> None:
    with engine.begin() as connection:
        _record(connection, received("1.1", "9.9", sha256="aa"))
        studies.close_now(connection, "1.1")
        done = _record(connection, received("1.2", "9.9", sha256="bb"))
        assert done is Recorded.REPLACED
        assert (_state(connection, "1.1"), _state(connection, "1.2")) == ("open", "open")
        old = study_work.instances(connection, row_of(connection, "1.1"), node=NODE)
        assert old == []


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("open", "open"),
        ("queued", "queued"),
        ("indexed", "indexed"),
        ("answered", "answered"),
        ("failed", "open"),
    ],
)
def test_what_shows_nothing_does_not_reopen_a_study_past_closing(
    engine: Engine, state: str, expected: str
) -> None:
    """A result that software adds each time that the study is answered goes round no loop."""
    result = replace(received(instance="1.2.3.9.1"), left_out="a report", calling_ae="AI")
    with engine.begin() as connection:
        _record(connection, received())
        _set(connection, state=state)
        assert _record(connection, result) is Recorded.NEW
        assert _state(connection) == expected
        assert len(_files(connection)) == 2
        row = row_of(connection, STUDY)
        assert study_work.callers(connection, row) == ["CR1"]
        assert study_work.unanswered(connection, row) == ["CR1"]


def test_patient_and_study_are_read_from_what_shows_something(engine: Engine) -> None:
    result = replace(received(instance="1.2.3.9.1", patient="WRONG"), left_out="a report")
    with engine.begin() as connection:
        record_all(connection, [received(patient="RIGHT"), result], received_by=NODE)
        assert studies.load(connection, row_of(connection, STUDY)).patient_id == "RIGHT"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("open", Recorded.RESTORED),
        ("failed", Recorded.RESTORED),
        ("queued", Recorded.IDENTICAL),
        ("indexed", Recorded.IDENTICAL),
        ("answered", Recorded.IDENTICAL),
    ],
)
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_duplicate_gives_its_file_to_a_study_that_lacks_it(
    engine: Engine, state: str, expected: Recorded, elsewhere: bool
) -> None:
    """The file was removed, or lies at another node; what needs none is left as it is."""
    with engine.begin() as connection:
        _record(connection, received(spool_name="old"), OTHER_NODE if elsewhere else NODE)
        if not elsewhere:
            connection.execute(text("UPDATE instances SET spool_name = NULL"))
        _set(connection, state=state)
        assert _record(connection, received(spool_name="new")) is expected
        taken = expected is Recorded.RESTORED
        assert (_files(connection)[0][1] == "new") is taken
        assert surplus.names_of(connection, node=NODE) == ([] if taken else ["new"])
        left = ["old"] if elsewhere and taken else []
        assert surplus.names_of(connection, node=OTHER_NODE) == left


@pytest.mark.parametrize(("caller", "expected"), [("PACS", "open"), ("WS1", "answered")])
def test_an_answered_study_is_taken_up_again_for_another_peer(
    engine: Engine, caller: str, expected: str
) -> None:
    """It was not kept to be found; whoever sends it now may be one whose studies are."""
    with engine.begin() as connection:
        _record(connection, _from("WS1", "old"))
        _set(connection, state="answered")
        _record(connection, _from(caller, "new"))
        assert _state(connection) == expected
        assert study_work.callers(connection, row_of(connection, STUDY)) == sorted({"WS1", caller})


def test_a_duplicate_from_another_peer_is_remembered_and_is_activity(engine: Engine) -> None:
    with engine.begin() as connection:
        _record(connection, _from("CT1", "old"))
        before = studies.open_studies(connection, received_by=NODE)
        later = received().received_at.replace(hour=3)  # earlier by the clock, for it was stepped
        _record(connection, _from("WS1", "new", received_at=later))
        row = row_of(connection, STUDY)
        assert study_work.callers(connection, row) == ["CT1", "WS1"]
        assert study_work.unanswered(connection, row) == ["CT1", "WS1"]
        assert studies.open_studies(connection, received_by=NODE) == {STUDY: later} != before


def test_who_was_answered_is_not_answered_again(engine: Engine) -> None:
    with engine.begin() as connection:
        _record(connection, _from("CT1", "old"))
        studies.close_now(connection, STUDY)
        row = row_of(connection, STUDY)
        study_work.mark_worked(connection, row, job_id=1, to_be_found=True)
        _record(connection, _from("PACS", "new", sop_instance_uid="1.2.3.1.2"))
        assert study_work.unanswered(connection, row) == ["PACS"]
        assert study_work.callers(connection, row) == ["CT1", "PACS"]


def test_two_nodes_record_one_study_at_once(engine: Engine) -> None:
    """The second waits for the first, and then knows what it recorded."""
    outcomes: list[Recorded] = []

    def second() -> None:
        with engine.begin() as connection:
            outcomes.append(_record(connection, received(spool_name="b"), OTHER_NODE))

    thread = threading.Thread(target=second)
    with engine.begin() as connection:
        _record(connection, received(spool_name="a"))
        thread.start()
        wait_until(lambda: _waiting(engine), "the second to wait for the first")
    thread.join()
    assert outcomes == [Recorded.RESTORED]
    with engine.connect() as connection:
        assert _files(connection) == [("1.2.3.1.1", "b", OTHER_NODE)]
        assert surplus.names_of(connection, node=NODE) == ["a"]


def _waiting(engine: Engine) -> int:
    with engine.connect() as connection:
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return int(connection.execute(waiting).scalar_one())
