"""Sets of slice vectors in the database: what is written, found, gone, refused."""

from dataclasses import replace
from itertools import groupby
from operator import itemgetter

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from storage import embeddings, slices
from storage.embeddings import NewEmbedding
from storage.late_interaction import max_sim
from storage.slices import NewSlices, SliceImage, SliceLeftOut, SliceSetError
from tests.storage.made import add_study, reference, row_of, space, unit

UNITS = np.stack([unit(1, 0, 0, 0), unit(1, 2, 3, 4), unit(0, 0, 1, -1)])


def a_set(vectors: NDArray[np.float32] = UNITS, study: str = "1.1") -> NewSlices:
    images = [SliceImage(f"{study}.2.{at}") for at in range(len(vectors))]
    return NewSlices(vectors, images, [SliceLeftOut(SliceImage(f"{study}.3", 2), "torn")], {"a": 1})


def add(connection: Connection, study: str, new: NewSlices | None, *, modality: str = "CT") -> int:
    """A study of one series: its middle slice, and a set beside that."""
    row = add_study(connection, space(), study, [])
    image = reference(f"{study}.1.1", modality)
    made = NewEmbedding(image, unit(1, 0, 0, 0), b"png", {}, new)
    embeddings.replace(connection, space=space(), study_id=row, new=[made])
    return row


def found(connection: Connection, *rows: int, group: str = "CT") -> dict[int, NDArray[np.float64]]:
    """The slice vectors of studies, all series one below the other."""
    sets = slices.of_studies(connection, rows, space_id=space().id, modality_group=group)
    return {
        row: np.concatenate([own for _, own in of_study])
        for row, of_study in groupby(sets, key=itemgetter(0))
    }


def kept(connection: Connection) -> int:
    count: int = connection.execute(text("SELECT count(*) FROM slice_vectors")).scalar_one()
    return count


def test_a_set_is_kept_beside_its_vector(engine: Engine) -> None:
    with engine.begin() as connection:
        row = add(connection, "1.1", a_set())
        (vectors,) = found(connection, row).values()
        told = connection.execute(text("SELECT * FROM slice_vectors")).mappings().one()
    np.testing.assert_allclose(vectors, UNITS, atol=3e-4)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-12)
    assert len(told["vectors"]) == 3 * 4 * 2
    assert told["images"][2] == {"sop_instance_uid": "1.1.2.2", "frame_number": None}
    (left_out,) = told["left_out"]
    assert left_out == {"sop_instance_uid": "1.1.3", "frame_number": 2, "reason": "torn"}
    assert told["produced_by"] == {"a": 1}


def test_studies_are_found_that_have_a_set_of_the_modality(engine: Engine) -> None:
    with engine.begin() as connection:
        rows = [add(connection, f"1.{n}", a_set()) for n in range(slices.SETS_AT_ONCE + 1)]
        without = add(connection, "2.1", None)
        other = add(connection, "2.2", a_set(), modality="MR")
        assert sorted(found(connection, *rows, without, other)) == rows
        assert list(found(connection, *rows, other, group="MR")) == [other]
        elsewhere = slices.of_studies(connection, rows, space_id="other", modality_group="CT")
        assert list(elsewhere) == []


def test_a_study_has_the_sets_of_all_its_series(engine: Engine) -> None:
    with engine.begin() as connection:
        row = add_study(connection, space(), "1.1", [])
        made = [
            NewEmbedding(reference(f"1.1.{n}", "CT"), unit(1, n, 0, 0), b"", {}, a_set(UNITS[:n]))
            for n in (1, 2)
        ]
        embeddings.replace(connection, space=space(), study_id=row, new=made)
        assert found(connection, row)[row].shape == (3, 4)


def test_a_set_goes_with_its_vector(engine: Engine) -> None:
    """Retired, sent again with another set, sent again without, under another study, deleted."""
    with engine.begin() as connection:
        row = add(connection, "1.1", a_set())
        embeddings.retire_study(connection, space_id=space().id, study_id=row)
        assert (kept(connection), found(connection, row)) == (0, {})
        add(connection, "1.1", a_set())
        add(connection, "1.1", a_set(UNITS[:2]))
        assert (kept(connection), len(found(connection, row)[row])) == (1, 2)
        add(connection, "1.1", None)
        assert kept(connection) == 0
        add(connection, "1.1", a_set())
        connection.execute(text("DELETE FROM studies"))
        assert kept(connection) == 0


def test_a_vector_that_stays_keeps_its_set(engine: Engine) -> None:
    with engine.begin() as connection:
        row = add(connection, "1.1", a_set())
        (stored,) = embeddings.of_study(connection, space_id=space().id, study_id=row)
        embeddings.replace(connection, space=space(), study_id=row, new=[], keep=[stored.id])
        assert len(found(connection, row)[row]) == 3


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (a_set(UNITS[:, :3]), "a space of 4"),
        (a_set(UNITS[:0]), "a space of 4"),
        (replace(a_set(), images=[SliceImage("1")]), "for 1 slices"),
        (a_set(np.where(UNITS == 1, np.nan, UNITS)), "unit length"),
        (a_set(UNITS * np.float32(1.1)), "unit length"),
    ],
)
def test_a_set_that_does_not_fit_is_refused(engine: Engine, new: NewSlices, why: str) -> None:
    with engine.begin() as connection:
        add(connection, "1.1", a_set())
    with pytest.raises(SliceSetError, match=why), engine.begin() as connection:
        add(connection, "1.1", new)
    with engine.connect() as connection:
        row = row_of(connection, "1.1")
        assert len(found(connection, row)[row]) == 3


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE slice_vectors SET count = 2",
        "UPDATE slice_vectors SET vectors = substr(vectors, 3)",
        "UPDATE slice_vectors SET images = images - 0",
        "UPDATE embeddings SET retired_at = now() WHERE retired_at IS NULL",
    ],
)
def test_a_set_that_does_not_fit_is_told(engine: Engine, damage: str) -> None:
    with engine.begin() as connection:
        add(connection, "1.1", a_set())
        assert slices.faults(connection, space_id=space().id, dimension=4) == []
        connection.execute(text(damage))
        (fault,) = slices.faults(connection, space_id=space().id, dimension=4)
        assert "do not fit" in fault
        assert slices.faults(connection, space_id="other", dimension=4) == []


@pytest.mark.parametrize("dimension", [64, 512, 768])
@pytest.mark.parametrize("apart", [0.01, 1.0])
def test_half_precision_changes_a_score_by_less_than_it_is_shown_with(
    dimension: int, apart: float
) -> None:
    """A likeness is shown with four decimals; of slices near each other, and of any."""
    random = np.random.default_rng(dimension)
    wide = slices.as_unit(1.0 / apart + random.normal(size=(20, 32, dimension)).reshape(640, -1))
    half = slices.unpacked(wide.astype(slices.SLICES_DTYPE).tobytes(), 640)
    for one in range(1, 20):
        mine, theirs = slice(0, 32), slice(32 * one, 32 * one + 32)
        exact = max_sim(wide[mine], wide[theirs])
        assert max_sim(half[mine], half[theirs]) == pytest.approx(exact, abs=5e-5)
