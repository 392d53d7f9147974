"""Overlap of two spaces' neighbours, against counting by hand and by brute force."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from storage import overlap, spaces
from storage.changeover import Filled, fill, missing
from storage.index import VectorIndex
from storage.overlap import Overlap, Sampled
from storage.spaces import Maker
from tests.storage.made import add_study, space, unit

OLD, NEW = space(2, "old"), space(2, "new")


def _around(count: int, turn: float = 0.0) -> list[NDArray[np.float32]]:
    """Unit vectors at equal steps on a half circle."""
    return [unit(np.cos(a), np.sin(a)) for a in np.linspace(0, np.pi, count) + turn]


def _both(connection: Connection, new: list[NDArray[np.float32]], **patients: str) -> None:
    """Studies around the circle in the old space, and with these vectors in the new one."""
    for number, vector in enumerate(_around(len(new))):
        patient = patients.get(f"p{number}")
        add_study(connection, OLD, f"1.{number}", [vector], patient=patient)
    spaces.want(connection, NEW, Maker("made"))
    images = missing(connection, in_use=OLD.id, wanted=NEW.id, after=0, limit=1000)
    filled = [Filled(image.id, vector, {}) for image, vector in zip(images, new, strict=True)]
    fill(connection, in_use=OLD.id, wanted=NEW, filled=filled)


def _compared(connection: Connection) -> Overlap | None:
    images = overlap.sample(connection, OLD.id, NEW.id)
    nearest = []
    for of, second in ((OLD, False), (NEW, True)):
        index = VectorIndex(of.id, of.dimension)
        index.catch_up(connection)
        nearest.append(overlap.nearest(connection, index, images, second=second))
    return overlap.compare(connection, images, *nearest)


def test_a_space_agrees_with_itself(engine: Engine) -> None:
    with engine.begin() as connection:
        _both(connection, _around(30, turn=1.0))  # turned, and so the same neighbours
        found = _compared(connection)
    assert found is not None
    assert (found.k, found.images, found.mean) == (10, 30, 1.0)
    assert found.chance == pytest.approx(10 / 29)


def test_it_is_what_brute_force_finds(engine: Engine) -> None:
    new = list(np.random.default_rng(7).permutation(np.array(_around(40))))
    with engine.begin() as connection:
        _both(connection, new)
        found = _compared(connection)
    tens = [
        np.argsort(-(vectors @ vectors.T) + 9 * np.eye(40), axis=1)[:, :10]
        for vectors in (np.array(_around(40)), np.array(new))
    ]
    shares = [len(set(one) & set(other)) / 10 for one, other in zip(*tens, strict=True)]
    assert found is not None
    assert found.mean == pytest.approx(np.mean(shares), abs=0.02)  # ties on the circle
    assert abs(found.mean - found.chance) < 0.1


def test_a_patients_own_studies_are_no_neighbours(engine: Engine) -> None:
    """Of four studies three are one patient's: each of them has one neighbour, the fourth three."""
    with engine.begin() as connection:
        _both(connection, _around(4), p0="A", p1="A", p2="A")
        images = overlap.sample(connection, OLD.id, NEW.id)
        index = VectorIndex(OLD.id, 2)
        index.catch_up(connection)
        found = overlap.nearest(connection, index, images)
    assert sorted(map(len, found.values())) == [1, 1, 1, 3]


@pytest.mark.parametrize("count", [0, 1])
def test_without_studies_to_compare_with_there_is_none(engine: Engine, count: int) -> None:
    with engine.begin() as connection:
        spaces.use(connection, OLD)
        _both(connection, _around(count))
        assert _compared(connection) is None


def test_an_image_retired_since_the_sample_is_passed_over(engine: Engine) -> None:
    with engine.begin() as connection:
        _both(connection, _around(3))
        images = overlap.sample(connection, OLD.id, NEW.id)
        gone: Sampled = replace(images[0], first=10**9)
        index = VectorIndex(OLD.id, 2)
        index.catch_up(connection)
        assert len(overlap.nearest(connection, index, [gone, *images[1:]])) == 2


def test_lists_widen_past_many_studies_of_one_patient(engine: Engine) -> None:
    with engine.begin() as connection:
        _both(connection, _around(120), **{f"p{number}": "A" for number in range(100)})
        images = overlap.sample(connection, OLD.id, NEW.id)
        index = VectorIndex(OLD.id, 2)
        index.catch_up(connection)
        found = overlap.nearest(connection, index, images)
    assert {len(studies) for studies in found.values()} == {10}
