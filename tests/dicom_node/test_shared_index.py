"""The index that all who ask over HTTP share: loaded once, caught up, never of another space."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, text

from dicom_node.settings import Settings
from dicom_node.shared_index import SharedIndex
from storage import embeddings
from tests.storage.made import add_study, space, unit
from tests.waiting import wait_until

NEW_SPACE = replace(space(), id="space-new")


@pytest.fixture
def shared(tmp_path: Path) -> SharedIndex:
    return SharedIndex(Settings(data_folder=tmp_path))


def _count(shared: SharedIndex, engine: Engine, of: str = "space-a") -> int:
    with engine.connect() as connection:
        return shared.of(connection, replace(space(), id=of)).count


def test_it_is_caught_up_for_each_question(engine: Engine, shared: SharedIndex) -> None:
    for number in (1, 2):
        with engine.begin() as connection:
            add_study(connection, space(), f"1.{number}", [unit(1, 0, 0, 0)])
        assert _count(shared, engine) == number


def test_after_a_switch_it_is_the_new_spaces(engine: Engine, shared: SharedIndex) -> None:
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)])
        add_study(connection, NEW_SPACE, "1.2", [unit(1, 0, 0, 0)])
        add_study(connection, NEW_SPACE, "1.3", [unit(1, 0, 0, 0)])
    assert (_count(shared, engine), _count(shared, engine, NEW_SPACE.id)) == (1, 2)


def test_of_a_database_that_was_restored_it_is_loaded_anew(
    engine: Engine, shared: SharedIndex
) -> None:
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)])
        add_study(connection, space(), "1.2", [unit(1, 0, 0, 0)])
    assert _count(shared, engine) == 2
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM embeddings WHERE change = 2"))
        connection.execute(text("SELECT setval('embedding_changes', 1)"))
    assert _count(shared, engine) == 1


def test_before_anything_is_indexed_loading_it_waits(engine: Engine, shared: SharedIndex) -> None:
    _look(shared, engine)
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)])
    _look(shared, engine)
    assert _count(shared, engine) == 1


def test_what_is_written_is_taken_in_unasked(engine: Engine, shared: SharedIndex) -> None:
    """Another connection's vector is in memory within a second, and no question pays for it."""
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)])
    with shared.following(engine):
        wait_until(lambda: shared.held() == 1, "the index to be loaded")
        with engine.begin() as connection:
            add_study(connection, space(), "1.2", [unit(0, 1, 0, 0)])
        wait_until(lambda: shared.held() == 2, "the vector in memory", 1.0)


def test_nobody_sees_it_half_caught_up(engine: Engine, shared: SharedIndex) -> None:
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)])
        study = add_study(connection, space(), "1.2", [unit(1, 0, 0, 0)])
    counts: list[int] = []

    def ask() -> None:
        counts.extend(_count(shared, engine) for _ in range(20))

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    for _ in range(10):  # the study's vector is replaced, which an index does by removing it first
        with engine.begin() as connection:
            kept = embeddings.of_study(connection, space_id=space().id, study_id=study)
            new = [embeddings.NewEmbedding(kept[0].image, kept[0].vector, b"png", {})]
            embeddings.replace(connection, space=space(), study_id=study, new=new)
    for thread in asking:
        thread.join()
    assert set(counts) == {2}


def test_questions_are_searched_side_by_side(engine: Engine, shared: SharedIndex) -> None:
    """What one question got stays what it was while others catch up."""
    with engine.begin() as connection:
        first = add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)])
    with engine.connect() as connection:
        mine = shared.of(connection, space())
    with engine.begin() as connection:
        embeddings.retire_study(connection, space_id=space().id, study_id=first)
        add_study(connection, space(), "1.2", [unit(0, 1, 0, 0)])
        add_study(connection, space(), "1.3", [unit(0, 0, 1, 0)])
    assert _count(shared, engine) == 2
    [held] = mine.ids()
    assert mine.count == 1
    [found] = mine.search_each(unit(1, 0, 0, 0)[np.newaxis], 5)
    assert [neighbour.key for neighbour in found] == [held]
    np.testing.assert_array_equal(mine.vectors([held])[0], unit(1, 0, 0, 0))


def _look(shared: SharedIndex, engine: Engine) -> None:
    with engine.connect() as connection:
        shared.look(connection)
