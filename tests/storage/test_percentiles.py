"""Percentiles: the archive's own distribution, as a sketch that is kept and made anew."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sqlalchemy import Engine, insert, text
from sqlalchemy.engine import Connection

from storage import spaces
from storage.database_index import DatabaseIndex
from storage.index import VectorIndex
from storage.rules import percentiles
from storage.rules.percentiles import (
    archive_similarities,
    percentile,
    quantiles_of,
    refresh,
    similarities_between_patients,
    sketch,
)
from storage.tables import EMBEDDING_CHANGES, Embedding, Study
from tests.storage.leaving import LeavingIndex
from tests.storage.made import row_of, space, unit

GROUP = "radiograph"


def _filled(connection: Connection, count: int, *, first: int = 0, patients: int = 10**9) -> None:
    """Studies of one random image each, written quickly."""
    drawn = np.random.default_rng(first).normal(size=(count, 4))
    spaces.use(connection, space())
    numbers = range(first, first + count)
    studies = [
        {"study_instance_uid": f"1.{n}", "patient_id": f"P{n % patients}", "attributes": {}}
        for n in numbers
    ]
    new = insert(Study).returning(Study.id, sort_by_parameter_order=True)
    rows = connection.execute(new, studies).scalars().all()
    made = {"space_id": space().id, "image": {}, "produced_by": {}}
    connection.execute(
        insert(Embedding).values(change=EMBEDDING_CHANGES.next_value()),
        [
            {
                **made,
                "study_id": row,
                "modality_group": GROUP if n % 3 else "CT",
                "sop_instance_uid": f"1.{n}.1",
                "vector": unit(*vector).tobytes(),
            }
            for n, row, vector in zip(numbers, rows, drawn, strict=True)
        ],
    )


def _index(connection: Connection) -> VectorIndex:
    index = VectorIndex(space().id, 4)
    index.catch_up(connection)
    return index


def _all_pairs(connection: Connection, index: VectorIndex) -> NDArray[np.float64]:
    rows = connection.execute(
        text(
            "SELECT e.id, patient_id FROM embeddings e JOIN studies s ON s.id = study_id "
            "WHERE modality_group = :group AND vector IS NOT NULL ORDER BY 1"
        ),
        {"group": GROUP},
    ).all()
    vectors = index.vectors([row.id for row in rows])
    return np.sort(similarities_between_patients(vectors, [row.patient_id for row in rows]))


def _share(values: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.searchsorted(values, at, side="right") / len(values)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=9000), st.integers(-51, 51))
def test_quantiles_tell_the_share_rounded_down_to_a_step(values: list[int], at: int) -> None:
    ordered = np.sort(np.array(values, np.float64))
    steps = min(percentiles.QUANTILES, len(values))
    found = np.searchsorted(quantiles_of(ordered), at, side="right")
    below = sum(value <= at for value in values)
    assert found == below * steps // len(values)


def test_no_pair_is_no_quantile() -> None:
    assert quantiles_of(np.empty(0)).tolist() == []


def test_of_a_small_archive_all_pairs_count_however_it_changes(engine: Engine) -> None:
    """Exact up to 2,000 pairs: 90 images are 60 radiographs, and 1,770 pairs of them."""
    with engine.begin() as connection:
        _filled(connection, 90)
        index = _index(connection)
        before = archive_similarities(connection, index, group=GROUP)
        assert before.tolist() == _all_pairs(connection, index).tolist()
        connection.execute(text("DELETE FROM studies WHERE study_instance_uid = '1.7'"))
        fewer = archive_similarities(connection, index, group=GROUP)
        assert fewer.tolist() == _all_pairs(connection, index).tolist()
        _filled(connection, 3, first=90)
        index.catch_up(connection)
        more = archive_similarities(connection, index, group=GROUP)
        assert more.tolist() == _all_pairs(connection, index).tolist()
        assert [len(before), len(fewer), len(more)] == [1770, 1711, 1830]


def test_an_archive_asked_twice_is_not_sampled_twice(engine: Engine) -> None:
    with engine.begin() as connection:
        _filled(connection, 60)
        index = _index(connection)
        first = archive_similarities(connection, index, group=GROUP)
        made = text("UPDATE similarity_sketches SET pairs = -1")
        connection.execute(made)
        assert archive_similarities(connection, index, group=GROUP).tolist() == first.tolist()
        kept = sketch(connection, space().id, GROUP)
    assert kept is not None
    assert (kept.pairs, kept.images, kept.change) == (-1, 40, index.watermark)


@pytest.fixture
def large(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An archive of 400 radiographs and 200 others, which passes for a large one."""
    monkeypatch.setattr(percentiles, "EXACT_IMAGES", 100)
    with engine.begin() as connection:
        _filled(connection, 600, patients=300)
    return engine


@pytest.mark.parametrize("draws_from_all", [True, False])
def test_a_sample_is_nowhere_further_from_the_truth_than_is_stated(
    large: Engine, monkeypatch: pytest.MonkeyPatch, draws_from_all: bool
) -> None:
    if draws_from_all:
        monkeypatch.setattr(percentiles, "PAIRS", 50)  # few enough for that way to be the cheaper
        monkeypatch.setattr(percentiles, "_SPARE", 3.0)
    with large.begin() as connection:
        index = _index(connection)
        truth = _all_pairs(connection, index)
        spread = archive_similarities(connection, index, group=GROUP)
        kept = sketch(connection, space().id, GROUP)
    assert kept is not None
    assert kept.pairs == percentiles.PAIRS
    bound = np.sqrt(np.log(2 / 0.01) / (2 * percentiles.PAIRS)) + 1 / percentiles.QUANTILES
    everywhere = np.concatenate([truth, spread])
    assert np.abs(_share(spread, everywhere) - _share(truth, everywhere)).max() <= bound


def test_the_same_archive_gives_the_same_sample(large: Engine) -> None:
    with large.begin() as connection:
        spreads = []
        for _ in range(2):
            spreads.append(archive_similarities(connection, _index(connection), group=GROUP))
            connection.execute(text("DELETE FROM similarity_sketches"))
    assert spreads[0].tolist() == spreads[1].tolist()


def test_an_index_that_holds_nothing_yet_gives_no_percentile(large: Engine) -> None:
    with large.begin() as connection:
        behind = VectorIndex(space().id, 4)
        assert len(archive_similarities(connection, behind, group=GROUP)) == 0
        spread = archive_similarities(connection, _index(connection), group=GROUP)
        assert len(spread) == percentiles.QUANTILES


def _made_at(connection: Connection) -> int:
    kept = sketch(connection, space().id, GROUP)
    assert kept is not None
    return kept.change


@pytest.mark.parametrize(
    ("more", "by_worker", "by_reader"), [(40, False, False), (90, True, False), (400, True, True)]
)
def test_a_sketch_is_made_anew_by_who_has_time_before_who_asks(
    large: Engine, more: int, by_worker: bool, by_reader: bool
) -> None:
    """DUE is a tenth, OVERDUE a half; of the index's 600, or of the group's 400."""
    with large.begin() as connection:
        archive_similarities(connection, _index(connection), group=GROUP)
        before = _made_at(connection)
        _filled(connection, more, first=600)
        index = _index(connection)
        asked = connection.begin_nested()
        archive_similarities(connection, index, group=GROUP)
        assert (_made_at(connection) != before) == by_reader
        asked.rollback()
        while refresh(connection, index):
            pass
        assert (_made_at(connection) != before) == by_worker


class _Uncounted(DatabaseIndex):
    """To count a large store takes longer than to search it."""

    @property
    def count(self) -> int:
        raise AssertionError("nobody counts an index for a question")


@pytest.mark.parametrize(("others", "own"), [(1000, 39), (0, 39), (1000, 61)])
def test_changes_of_other_spaces_make_no_sketch_due(large: Engine, others: int, own: int) -> None:
    """All spaces draw their changes' numbers from one sequence; DUE is 60 of 600 changes."""
    with large.begin() as connection:
        while refresh(connection, _index(connection)):
            pass
        before = _made_at(connection)
        changes = text("SELECT nextval('embedding_changes') FROM generate_series(1, :n)")
        connection.execute(changes, {"n": others})
        retired = text(
            "UPDATE embeddings SET change = nextval('embedding_changes') WHERE id IN "
            "(SELECT id FROM embeddings ORDER BY id LIMIT :n)"
        )
        connection.execute(retired, {"n": own})
        index = _Uncounted(connection, space())
        archive_similarities(connection, index, group=GROUP)
        assert _made_at(connection) == before
        assert refresh(connection, index) == (own > 60)


@pytest.mark.parametrize("is_small", [True, False])
def test_what_leaves_while_a_sketch_is_made_is_no_part_of_it(
    large: Engine, monkeypatch: pytest.MonkeyPatch, is_small: bool
) -> None:
    if is_small:
        monkeypatch.setattr(percentiles, "EXACT_IMAGES", 1000)
    with large.begin() as connection:
        leaves = row_of(connection, "1.1")
        index = LeavingIndex(connection, space(), engine=large, study_id=leaves)
        spread = archive_similarities(connection, index, group=GROUP)
        truth = _all_pairs(connection, _index(connection))
    assert set(np.round(spread, 12)) <= set(np.round(truth, 12))
    assert len(spread) == percentiles.QUANTILES


def test_retired_vectors_are_drawn_no_more(large: Engine) -> None:
    with large.begin() as connection:
        index = _index(connection)
        connection.execute(text("DELETE FROM embeddings WHERE id % 3 = 0"))
        spread = archive_similarities(connection, index, group=GROUP)
        assert set(np.round(spread, 12)) <= set(np.round(_all_pairs(connection, index), 12))


def test_two_never_make_one_at_once_and_nobody_waits(large: Engine) -> None:
    with large.begin() as one, large.begin() as two:
        first = archive_similarities(one, _index(one), group=GROUP)
        assert not refresh(two, _index(two))
        own = archive_similarities(two, _index(two), group=GROUP)
        assert own.tolist() == first.tolist()
        assert sketch(two, space().id, GROUP) is None
    with large.connect() as later:
        assert sketch(later, space().id, GROUP) is not None


def test_a_space_that_is_being_removed_is_answered_in_nevertheless(large: Engine) -> None:
    with large.begin() as removing, large.begin() as asking:
        removing.execute(text("SELECT FROM spaces WHERE id = :id FOR UPDATE"), {"id": space().id})
        assert len(archive_similarities(asking, _index(asking), group=GROUP)) > 0
        assert sketch(asking, space().id, GROUP) is None


def test_one_patients_images_give_no_percentile(large: Engine) -> None:
    with large.begin() as connection:
        connection.execute(text("UPDATE studies SET patient_id = 'ANON'"))
        spread = archive_similarities(connection, _index(connection), group=GROUP)
    assert (len(spread), percentile(spread, 0.5)) == (0, None)


def test_a_sketch_goes_with_its_space(large: Engine) -> None:
    with large.begin() as connection:
        archive_similarities(connection, _index(connection), group=GROUP)
        connection.execute(text("DELETE FROM embeddings"))
        connection.execute(text("DELETE FROM spaces"))
        left = connection.execute(text("SELECT count(*) FROM similarity_sketches"))
        assert left.scalar_one() == 0
