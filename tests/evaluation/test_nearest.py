"""Neighbours against brute force, ties and strata included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.nearest import NOBODY, Neighbourhood, VectorsError, checked
from storage.vectors.metric import Metric
from tests.evaluation.drawn import lot

METRICS = list(Metric)
STRATA = np.array([0, 0, 1, 2, -1])
"""Of two, of one, of one; the last neither asks nor answers."""


def vectors_of(metric: Metric, count: int, seed: int) -> np.ndarray:
    """Small whole numbers, so that many are exactly as near as others."""
    random = np.random.default_rng(seed)
    if metric is Metric.HAMMING:
        return random.integers(0, 4, (count, 2)).astype(np.uint8)
    found = random.integers(-2, 3, (count, 3)).astype(np.float32)
    found[~found.any(axis=1)] = 1
    return found


def score(metric: Metric, a: np.ndarray, b: np.ndarray) -> float:
    if metric is Metric.HAMMING:
        return -float(sum((int(x) ^ int(y)).bit_count() for x, y in zip(a, b, strict=True)))
    x, y = a.astype(np.float64), b.astype(np.float64)
    if metric is Metric.L2:
        return -float(np.linalg.norm(x - y))
    return float(x @ y)


@settings(deadline=None, max_examples=60)
@given(
    metric=st.sampled_from(METRICS),
    count=st.integers(1, 200),
    k=st.integers(1, 40),
    patients=st.integers(1, 8),
    strata=st.sampled_from([0, 1, 3]),
    seed=st.integers(0, 1000),
)
def test_as_by_brute_force(
    metric: Metric, count: int, k: int, patients: int, strata: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    vectors = vectors_of(metric, count, seed)
    apart = random.integers(0, patients, count)
    codes = random.integers(-1, strata, count) if strata else None
    queries = np.flatnonzero(random.random(count) < 0.7)
    index = np.union1d(np.flatnonzero(random.random(count) < 0.7), [0])
    run = Neighbourhood(vectors, metric, queries, index).nearest(k, apart=apart, strata=codes)
    asked = [q for q in queries if codes is None or codes[q] >= 0]
    assert list(run.queries) == asked
    used = checked(vectors, metric)
    for query, found, scores in zip(run.queries, run.neighbours, run.similarities, strict=True):
        may = [
            at
            for at in index
            if apart[at] != apart[query]
            and at != query
            and (codes is None or codes[at] == codes[query])
        ]
        ranked = sorted(
            (-score(metric, used[query], used[at]), lot(int(query), int(at)), at) for at in may
        )[:k]
        assert [at for at in found if at != NOBODY] == [at for *_, at in ranked]
        assert list(scores[: len(ranked)]) == pytest.approx([-s for s, *_ in ranked], abs=2e-5)
        assert (scores[len(ranked) :] == -np.inf).all()


@pytest.mark.parametrize("metric", METRICS)
def test_who_sees_nothing_scores_as_chance_whatever_the_order(metric: Metric) -> None:
    # the most frequent class stands first: by place it would answer all, and .8 be right
    vectors = np.ones((1000, 4), np.uint8 if metric is Metric.HAMMING else np.float32)
    classes = (np.arange(1000) >= 800).astype(np.int64)
    near = Neighbourhood(vectors, metric)
    first = near.nearest(1, apart=np.arange(1000)).neighbours[:, 0]
    # .8 * .8 + .2 * .2, with a standard deviation of .015
    assert (classes[first] == classes).mean() == pytest.approx(0.68, abs=0.05)
    # as many asked for, the first are the same
    assert near.nearest(9, apart=np.arange(1000)).neighbours[:, 0].tolist() == first.tolist()
    other = Neighbourhood(vectors, metric, seed=1).nearest(1, apart=np.arange(1000))
    assert (other.neighbours[:, 0] == first).mean() < 0.05


def test_how_often_the_lot_decides() -> None:
    # 0, 1 and 2 see two who are alike, 3 and 4 see one who is nearer than the others
    vectors = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [0.1, 1]], np.float32)
    run = Neighbourhood(vectors).nearest(4, apart=np.arange(5))
    assert run.tied == pytest.approx(3 / 5)
    assert run.first(1).tied == 0
    # two have one answer each, and none beside it; one has none at all
    alone = Neighbourhood(vectors).nearest(2, apart=np.array([0, 1, 2, 3, 4]), strata=STRATA)
    assert alone.tied == 0
    nobody = Neighbourhood(vectors, queries=np.zeros(0, np.int64)).nearest(2, apart=np.arange(5))
    assert np.isnan(nobody.tied)


@pytest.mark.parametrize("metric", METRICS)
def test_all_codes_alike_are_all_tied(metric: Metric) -> None:
    vectors = np.ones((9, 4), np.uint8 if metric is Metric.HAMMING else np.float32)
    assert Neighbourhood(vectors, metric).nearest(3, apart=np.arange(9)).tied == 1


def test_a_patient_of_more_images_than_the_list_is_deep() -> None:
    random = np.random.default_rng(0)
    vectors = np.concatenate([np.ones((300, 2)), random.random((50, 2))]).astype(np.float32)
    apart = np.array([0] * 300 + list(range(1, 51)))
    run = Neighbourhood(vectors).nearest(5, apart=apart)
    assert (run.neighbours[:300] >= 300).all()


@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        (np.zeros((3, 2), np.float32), "3 vectors are all zero, such as that of image 0"),
        (np.array([[1, 1], [np.nan, 1]], np.float32), "1 vectors are not finite.*image 1"),
        (np.array([[1, 1], [np.inf, 1]], np.float32), "not finite"),
        (np.ones(4, np.float32), "shape"),
        (np.ones((0, 4), np.float32), "shape"),
    ],
)
def test_vectors_that_say_nothing(vectors: np.ndarray, said: str) -> None:
    with pytest.raises(VectorsError, match=said):
        Neighbourhood(vectors)


def test_codes_that_are_none() -> None:
    with pytest.raises(VectorsError, match="uint8"):
        Neighbourhood(np.ones((3, 2), np.float32), Metric.HAMMING)


def test_k_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Neighbourhood(np.ones((3, 2), np.float32)).nearest(0, apart=np.arange(3))


def test_an_empty_index_is_refused() -> None:
    with pytest.raises(VectorsError, match="empty"):
        Neighbourhood(np.ones((3, 2), np.float32), index=np.zeros(0, np.int64))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("k", [1, 7])
@pytest.mark.parametrize("metric", METRICS)
def test_who_asks_by_other_vectors_as_by_brute_force(metric: Metric, k: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    vectors, asking = vectors_of(metric, 40, seed), vectors_of(metric, 40, seed + 1)
    apart = random.integers(0, 20, 40)
    run = Neighbourhood(vectors, metric, asking=asking).nearest(k, apart=apart)
    answering, asks = checked(vectors, metric), checked(asking, metric)
    for query in range(40):
        may = [at for at in range(40) if apart[at] != apart[query]]
        order = sorted(
            may, key=lambda at: (-score(metric, asks[query], answering[at]), lot(query, at))
        )[:k]
        scores = [score(metric, asks[query], answering[at]) for at in order]
        np.testing.assert_allclose(run.similarities[query], scores, atol=1e-6)
        if metric is not Metric.COSINE:  # where rounding of unit vectors parts what is equal
            assert run.neighbours[query].tolist() == order


def test_who_asks_by_longer_vectors_than_all_that_answer() -> None:
    random = np.random.default_rng(0)
    vectors = (1 + 1e-3 * random.random((400, 8))).astype(np.float32)
    asking = vectors * np.float32(1e3)
    run = Neighbourhood(vectors, Metric.INNER_PRODUCT, asking=asking).nearest(
        5, apart=np.arange(400)
    )
    exact = asking.astype(np.float64) @ vectors.astype(np.float64).T
    np.fill_diagonal(exact, -np.inf)
    assert run.neighbours.tolist() == np.argsort(-exact, axis=1, kind="stable")[:, :5].tolist()


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (3, 1)])
def test_who_asks_by_vectors_of_another_shape(shape: tuple[int, int]) -> None:
    with pytest.raises(VectorsError, match="ask by vectors of shape"):
        Neighbourhood(np.ones((3, 2), np.float32), asking=np.ones(shape, np.float32))
