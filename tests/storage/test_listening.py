"""News of changed vectors: heard once they are committed, after an outage too, and left at once."""

import logging
import threading
from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from storage import embeddings, listening
from storage.database import connect
from storage.listening import Listening
from storage.outages import UnreachableError
from tests.storage.made import add_study, space, unit
from tests.storage.servers import kill_server, own_server, revive
from tests.waiting import wait_until

SPACE = space(3)


class Looks:
    """Counts looks, and how many changes the last one saw."""

    def __init__(self) -> None:
        self.count = 0
        self.seen = 0
        self.fault: Exception | None = None

    def look(self, connection: Connection) -> None:
        """One look."""
        self.count += 1
        if self.fault is not None:
            raise self.fault
        self.seen = embeddings.newest_change(connection, space_id=SPACE.id)


def test_what_is_written_is_heard_once_committed(engine: Engine) -> None:
    looks = Looks()
    with Listening(engine, looks.look, "test"):
        wait_until(lambda: looks.count == 1, "the first look")
        with engine.begin() as connection:
            study = add_study(connection, SPACE, "1.1", [unit(1, 0, 0)])
            assert looks.count == 1
        wait_until(lambda: looks.seen == 1, "the insert to be heard of", 1.0)
        with engine.begin() as connection:
            embeddings.retire_study(connection, space_id=SPACE.id, study_id=study)
        wait_until(lambda: looks.seen == 2, "the retirement to be heard of", 1.0)


def test_it_ends_at_once(engine: Engine) -> None:
    looks = Looks()
    with Listening(engine, looks.look, "test"):
        wait_until(lambda: looks.count == 1, "the first look")
        began = monotonic()
    assert monotonic() - began < 1.0
    assert "test" not in {thread.name for thread in threading.enumerate()}


def test_a_look_that_meets_an_outage_is_tried_again(
    engine: Engine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "FIRST_WAIT_S", 0.01)
    looks = Looks()
    looks.fault = UnreachableError("it is away")
    with caplog.at_level(logging.INFO), Listening(engine, looks.look, "test"):
        wait_until(lambda: looks.count > 2, "further looks")
        looks.fault = None
        wait_until(lambda: "heard of again" in caplog.text, "the end of the outage")
    assert caplog.text.count("it is away") == 1


def test_after_a_server_died_it_is_heard_again(tmp_path: Path) -> None:
    with own_server(tmp_path / "data") as server:
        engine = connect(server.url)
        count = 0

        def look(_: Connection) -> None:
            nonlocal count
            count += 1

        with Listening(engine, look, "test"):
            wait_until(lambda: count == 1, "the first look")
            kill_server(tmp_path / "data")
            revive(server)
            wait_until(lambda: count > 1, "a look after the outage")
        engine.dispose()
