"""Which files the retention rules release, and that each is named before it is forgotten."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from storage import studies, surplus
from tests.storage.made import NODE, received

DAY = timedelta(days=1)


def _study(
    connection: Connection,
    uid: str,
    state: str,
    days_ago: float,
    *,
    node: str = NODE,
    images: int = 1,
) -> None:
    """A study that came to its state so long ago, with files of 100 bytes."""
    for number in range(images):
        name = f"{uid}-{number}"
        arrived = received(uid, f"{uid}.1.{number}", spool_name=name)
        studies.record(connection, arrived, received_by=node)
    column = "indexed_at" if state == "indexed" else "closed_at"
    connection.execute(
        text(
            f"UPDATE studies SET state = :state, {column} = now() - :ago"
            " WHERE study_instance_uid = :uid"
        ),
        {"state": state, "ago": timedelta(days=days_ago), "uid": uid},
    )


def _held(connection: Connection) -> list[str]:
    names = connection.execute(
        text("SELECT spool_name FROM instances WHERE spool_name IS NOT NULL")
    )
    return sorted(names.scalars())


@pytest.mark.parametrize(
    ("state", "days_ago", "released"),
    [
        ("indexed", 8, True),
        ("indexed", 6, False),
        ("answered", 8, True),
        ("answered", 6, False),
        ("failed", 8, False),
        ("queued", 8, False),
        ("open", 8, False),
    ],
)
def test_files_of_settled_studies_are_released_in_time(
    engine: Engine, state: str, days_ago: float, released: bool
) -> None:
    with engine.begin() as connection:
        _study(connection, "1.2", state, days_ago)
        count = surplus.release_settled(connection, node=NODE, older_than=7 * DAY)
        assert count == int(released)
        assert _held(connection) == ([] if released else ["1.2-0"])
        assert surplus.names_of(connection, node=NODE) == (["1.2-0"] if released else [])


@pytest.mark.parametrize(("state", "released"), [("failed", 1), ("indexed", 0), ("open", 0)])
def test_failed_studies_have_a_rule_of_their_own(engine: Engine, state: str, released: int) -> None:
    with engine.begin() as connection:
        _study(connection, "1.2", state, 31)
        _study(connection, "1.3", state, 29)
        assert surplus.release_failed(connection, node=NODE, older_than=30 * DAY) == released


@pytest.mark.parametrize(
    ("keep_bytes", "held"),
    [
        (1000, ["1.1-0", "1.2-0", "1.2-1", "1.3-0", "1.9-0"]),
        (400, ["1.1-0", "1.2-0", "1.2-1", "1.3-0", "1.9-0"]),
        (399, ["1.2-0", "1.2-1", "1.3-0", "1.9-0"]),
        (299, ["1.3-0", "1.9-0"]),
        (0, ["1.9-0"]),
    ],
)
def test_the_oldest_go_first_when_there_are_too_many_bytes(
    engine: Engine, keep_bytes: int, held: list[str]
) -> None:
    """Studies of 100, 200 and 100 bytes, oldest first; one that failed counts for nothing."""
    with engine.begin() as connection:
        _study(connection, "1.1", "indexed", 3)
        _study(connection, "1.2", "indexed", 2, images=2)
        _study(connection, "1.3", "indexed", 1)
        _study(connection, "1.9", "failed", 9)
        surplus.release_beyond(connection, node=NODE, keep_bytes=keep_bytes)
        assert _held(connection) == held


def test_files_at_another_node_are_left_to_it(engine: Engine) -> None:
    with engine.begin() as connection:
        _study(connection, "1.2", "indexed", 8, node="another node")
        assert surplus.release_settled(connection, node=NODE, older_than=DAY) == 0
        assert surplus.release_beyond(connection, node=NODE, keep_bytes=0) == 0
        assert surplus.release_settled(connection, node="another node", older_than=DAY) == 1
        assert surplus.names_of(connection, node=NODE) == []


def test_a_name_is_surplus_until_it_is_forgotten(engine: Engine) -> None:
    with engine.begin() as connection:
        surplus.add(connection, [("a", NODE), ("b", NODE)])
        surplus.add(connection, [("b", NODE), ("c", "another node")])
        assert surplus.among(connection, ["a", "c", "d"]) == {"a", "c"}
        surplus.forget(connection, ["a"])
        assert surplus.names_of(connection, node=NODE) == ["b"]
