"""Answers from the database are those of the index, ties included."""

from collections.abc import Iterator

import numpy as np
import pytest
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from storage import embeddings
from storage.database_index import DatabaseIndex
from storage.vector_stream import BLOCK_ROWS
from storage.vectors.metric import VectorError
from storage.vectors.segment import Neighbour
from tests.storage.made import add_study, space, unit

SPACE = space(3)
COUNT = BLOCK_ROWS + 200


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A transaction that is never committed."""
    with engine.connect() as opened:
        yield opened


@pytest.fixture
def index(connection: Connection) -> DatabaseIndex:
    """Vectors of which many are equal, in two blocks."""
    add_study(connection, SPACE, "1.1", [unit(1, n % 50, n % 7) for n in range(COUNT)])
    return DatabaseIndex(connection, SPACE)


def brute(index: DatabaseIndex, k: int, among: list[int] | None) -> list[Neighbour]:
    """The k nearest to (0.6, 0.8, 0), in double precision, ties by id."""
    ids = index.ids()
    distances = 1.0 - (index.vectors(ids).astype(float) * QUERY.astype(float)).sum(axis=1)
    pairs = sorted(zip(distances.tolist(), ids.tolist(), strict=True))
    chosen = [Neighbour(key, at) for at, key in pairs if among is None or key in among]
    return chosen[:k]


QUERY = unit(3, 4, 0)


@pytest.mark.parametrize("k", [1, 9, 300, COUNT + 1])
def test_the_nearest_are_those_of_brute_force(index: DatabaseIndex, k: int) -> None:
    other, found = index.search_each(np.stack([unit(0, 0, 1), QUERY]), k)
    assert found == brute(index, k, None)
    assert len(other) == min(k, COUNT)


def test_only_those_that_may_be_found_are(index: DatabaseIndex) -> None:
    among = [*index.ids()[5::11].tolist(), 987_654_321]
    [found] = index.search_each(QUERY[np.newaxis], 40, among=np.array([*among[::-1], among[0]]))
    assert found == brute(index, 40, among)
    assert index.search_each(QUERY[np.newaxis], 40, among=np.empty(0, np.int64)) == [[]]


def test_it_stays_at_its_watermark(connection: Connection, index: DatabaseIndex) -> None:
    add_study(connection, SPACE, "1.2", [QUERY])
    [found] = index.search_each(QUERY[np.newaxis], 1)
    assert found[0].distance > 1e-4
    assert (index.count, len(index.ids())) == (COUNT, COUNT)
    now = DatabaseIndex(connection, SPACE)
    assert (now.count, now.watermark) == (COUNT + 1, index.watermark + 1)


def test_vectors_come_as_they_are_asked_for(connection: Connection, index: DatabaseIndex) -> None:
    study = add_study(connection, SPACE, "1.2", [unit(0, 0, 1), unit(0, 1, 0)])
    index = DatabaseIndex(connection, SPACE)
    first, second = index.ids()[-2:].tolist()
    expected = [unit(0, 1, 0), unit(0, 0, 1), unit(0, 1, 0)]
    np.testing.assert_array_equal(index.vectors([second, first, second]), expected)
    embeddings.retire_study(connection, space_id=SPACE.id, study_id=study)
    with pytest.raises(KeyError, match=f"embedding {first} is not in the database any more"):
        index.vectors([first])


@pytest.mark.parametrize("step", [1, 7])
def test_those_that_are_held_come_each_once_and_ascending(index: DatabaseIndex, step: int) -> None:
    """In one block, and in several."""
    some = index.ids()[::step]
    ids, vectors = index.held([987_654_321, *some[::-1].tolist(), some[0]])
    np.testing.assert_array_equal(ids, some)
    np.testing.assert_array_equal(vectors, index.vectors(some))


def test_what_was_retired_meanwhile_is_held_no_more(
    connection: Connection, index: DatabaseIndex
) -> None:
    study = add_study(connection, SPACE, "1.2", [unit(0, 0, 1)])
    index, before = DatabaseIndex(connection, SPACE), index.ids()[:2].tolist()
    asked = [index.ids()[-1], *before]
    assert index.held(asked)[0].tolist() == sorted(asked)
    embeddings.retire_study(connection, space_id=SPACE.id, study_id=study)
    assert index.held(asked)[0].tolist() == before


@pytest.mark.parametrize(("query", "k"), [(unit(1, 0), 1), (unit(1, 0, 0), 0)])
def test_a_question_that_is_none_is_refused(
    connection: Connection, query: np.ndarray, k: int
) -> None:
    with pytest.raises(VectorError):
        DatabaseIndex(connection, SPACE).search_each(query[np.newaxis], k)


def test_of_nothing_nothing_is_found(connection: Connection) -> None:
    index = DatabaseIndex(connection, SPACE)
    assert (index.count, index.watermark) == (0, 0)
    assert index.search_each(QUERY[np.newaxis], 3) == [[]]
    assert index.vectors([]).shape == (0, 3)
    ids, vectors = index.held([5])
    assert (ids.shape, vectors.shape) == ((0,), (0, 3))
