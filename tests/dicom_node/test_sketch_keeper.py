"""The worker keeps percentiles up in its idle time, and not more often than is of use."""

import logging
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, create_engine, text

from dicom_node.own_index import OwnIndex
from dicom_node.sketch_keeper import LOOK_S, SketchKeeper
from storage.rules import percentiles
from storage.vectors.choice import EXACT
from tests.storage.made import NODE, add_study, space, unit


class Clock:
    """Tells the time that it was set to."""

    now = 0.0

    def __call__(self) -> float:
        """The time, in seconds."""
        return self.now


@pytest.fixture
def index(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnIndex:
    """Of thirty studies, which pass for a large archive."""
    monkeypatch.setattr(percentiles, "EXACT_IMAGES", 10)
    drawn = np.random.default_rng(3).normal(size=(30, 4))
    with engine.begin() as connection:
        for number, vector in enumerate(drawn):
            add_study(connection, space(), f"1.{number}", [unit(*vector)])
    return OwnIndex(engine, tmp_path / "a.index", space(), EXACT, node=NODE)


def _made(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT images FROM similarity_sketches")).scalars())


def test_a_sketch_is_made_at_once_and_again_when_the_archive_has_grown(
    engine: Engine, index: OwnIndex
) -> None:
    clock = Clock()
    keeper = SketchKeeper(engine, index, clock=clock)
    keeper.look()
    assert _made(engine) == [30]
    with engine.begin() as connection:
        for number in range(30, 40):
            add_study(connection, space(), f"1.{number}", [unit(1, number, 0, 0)])
    keeper.look()
    keeper.look()
    assert _made(engine) == [40]


def test_it_is_looked_now_and_then(engine: Engine, index: OwnIndex) -> None:
    clock = Clock()
    keeper = SketchKeeper(engine, index, clock=clock)
    keeper.look()
    keeper.look()
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM similarity_sketches"))
    keeper.look()
    assert _made(engine) == []
    clock.now += LOOK_S
    keeper.look()
    assert _made(engine) == [30]


def test_a_database_that_is_away_is_told_and_tried_again(
    index: OwnIndex, caplog: pytest.LogCaptureFixture
) -> None:
    away = create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/nothing")
    with caplog.at_level(logging.WARNING):
        SketchKeeper(away, index).look()
    assert "percentiles go by what the archive was" in caplog.text
