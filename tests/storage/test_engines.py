"""Engines against exact search: what they find, within filters, after deletes, from a file."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from storage.vectors import base as bases
from storage.vectors.choice import EXACT, Choice, Kind, Precision
from storage.vectors.metric import Metric, Vectors
from storage.vectors.vector_set import VectorSet

COUNT, DIMENSION, K = 4000, 64, 10
CHOICES = [Choice(kind, precision) for kind in Kind for precision in Precision]
NONE = np.empty(0, np.int64)


@cache
def clustered(metric: Metric) -> tuple[Vectors, Vectors]:
    """Vectors in 40 clusters, as those of images are, and 100 more to ask with."""
    random = np.random.default_rng(3)
    centres = random.normal(size=(40, DIMENSION))
    every = centres[random.integers(0, 40, COUNT + 100)]
    every = every + 0.5 * random.normal(size=every.shape)
    if metric is Metric.COSINE:
        every /= np.linalg.norm(every, axis=1, keepdims=True)
    found = every.astype(np.float32)
    return found[:COUNT], found[COUNT:]


def keys_of(rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """Ids that are not row numbers."""
    return 3 * rows.astype(np.int64) + 7


def filled(metric: Metric, choice: Choice, path: Path) -> VectorSet:
    """A set of the clustered vectors whose file has that engine."""
    vectors, _ = clustered(metric)
    made = VectorSet(DIMENSION, metric)
    made.change(left=NONE, ids=keys_of(np.arange(COUNT)), vectors=vectors)
    made.write(path, space_id="s", watermark=1, choice=choice)
    return VectorSet.of(bases.load(path))


def recall(
    made: VectorSet, among: NDArray[np.intp], vectors: Vectors, metric: Metric, *, said: bool
) -> float:
    """Of the K nearest of those rows to each query, by definition, the share that is found."""
    _, queries = clustered(metric)
    only = keys_of(among) if said else None
    answers = [made.search(query[np.newaxis], K, only)[0] for query in queries]  # as readers ask
    hits = 0
    for query, answer in zip(queries, answers, strict=True):
        distances = metric.distances(query, vectors[among])
        nearest = among[np.lexsort((among, distances))[:K]]
        assert len(answer) == min(K, len(among))
        assert [entry.distance for entry in answer] == sorted(entry.distance for entry in answer)
        hits += len({entry.key for entry in answer} & set(keys_of(nearest).tolist()))
    return hits / (len(queries) * min(K, len(among)))


@pytest.mark.parametrize("metric", [Metric.COSINE, Metric.INNER_PRODUCT, Metric.L2])
@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_an_engine_finds_what_it_promises_whatever_is_asked_for(
    metric: Metric, choice: Choice, tmp_path: Path
) -> None:
    made = filled(metric, choice, tmp_path / "a.index")
    vectors, _ = clustered(metric)
    least = 1.0 if choice == EXACT else 0.99
    rows = np.arange(COUNT)
    assert made.choice == choice
    assert recall(made, rows, vectors, metric, said=False) >= least
    for share in (0.9, 0.1, 0.01, 0.001):
        some = np.sort(np.random.default_rng(5).permutation(COUNT)[: int(share * COUNT)])
        assert recall(made, some, vectors, metric, said=True) == 1.0
    left, kept = rows[::5], np.setdiff1d(rows, rows[::5])
    made.change(left=keys_of(left), ids=NONE, vectors=vectors[:0])
    assert recall(made, kept, vectors, metric, said=False) >= least


def far_from(query: Vectors, share: float) -> NDArray[np.intp]:
    """The rows but for the nearest to a query: what another view or body part leaves."""
    vectors, _ = clustered(Metric.COSINE)
    nearest = np.argsort(Metric.COSINE.distances(query, vectors))
    return np.sort(nearest[int(share * COUNT) :])


@pytest.mark.parametrize("said", [True, False], ids=["filtered", "retired"])
@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_all_that_is_nearest_may_be_left_out(choice: Choice, said: bool, tmp_path: Path) -> None:
    vectors, queries = clustered(Metric.COSINE)
    made = filled(Metric.COSINE, choice, tmp_path / "a.index")
    hits = 0
    for query in queries[:10]:
        kept = far_from(query, 0.15)
        now = made.frozen()
        if not said:
            left = np.setdiff1d(np.arange(COUNT), kept)
            now.change(left=keys_of(left), ids=NONE, vectors=vectors[:0])
        [found] = now.search(query[np.newaxis], K, keys_of(kept) if said else None)
        distances = Metric.COSINE.distances(query, vectors[kept])
        nearest = keys_of(kept[np.lexsort((kept, distances))[:K]])
        hits += len({entry.key for entry in found} & set(nearest.tolist()))
    assert hits == 10 * K if said or choice == EXACT else hits >= 0.99 * 10 * K


@pytest.mark.parametrize("kind", [Kind.EXACT, Kind.HNSW])
def test_an_engine_that_finds_too_few_is_not_used(
    kind: Kind, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    random = np.random.default_rng(4)
    near = np.repeat(random.normal(size=(4, 32)), 1000, axis=0)
    near += 0.01 * random.normal(size=near.shape)  # about the step of 8 bits
    near = near[random.permutation(len(near))]
    vectors = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    made = VectorSet(32)
    made.change(left=NONE, ids=np.arange(4000), vectors=vectors)
    made.write(tmp_path / "a.index", space_id="s", watermark=1, choice=Choice(kind, Precision.INT8))
    again = VectorSet.of(bases.load(tmp_path / "a.index"))
    assert again.choice == EXACT
    assert "exact search is used; set index.engine = 'exact'" in caplog.text
    assert list(tmp_path.iterdir()) == [tmp_path / "a.index"]
    assert again.search(vectors[:9], 5) == made.search(vectors[:9], 5)


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_an_engine_of_few_vectors_finds_all_of_them(choice: Choice, tmp_path: Path) -> None:
    vectors, queries = clustered(Metric.COSINE)
    for count in (0, 1, 2, 40):
        made = VectorSet(DIMENSION)
        made.change(left=NONE, ids=keys_of(np.arange(count)), vectors=vectors[:count])
        made.write(tmp_path / "a.index", space_id="s", watermark=1, choice=choice)
        again = VectorSet.of(bases.load(tmp_path / "a.index"))
        [found] = again.search(queries[:1], 50)
        assert sorted(entry.key for entry in found) == keys_of(np.arange(count)).tolist()


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_equal_vectors_do_not_hide_each_other(choice: Choice, tmp_path: Path) -> None:
    vectors, _ = clustered(Metric.COSINE)
    made = VectorSet(DIMENSION)
    made.change(left=NONE, ids=np.arange(500), vectors=np.repeat(vectors[:1], 500, axis=0))
    made.write(tmp_path / "a.index", space_id="s", watermark=1, choice=choice)
    [found] = VectorSet.of(bases.load(tmp_path / "a.index")).search(vectors[:1], 20)
    assert len({entry.key for entry in found}) == 20
    if choice == EXACT:
        assert [entry.key for entry in found] == list(range(20))


def test_recall_is_measured_when_an_engine_is_built(tmp_path: Path) -> None:
    filled(Metric.COSINE, Choice(Kind.HNSW), tmp_path / "a.index")
    tuned = bases.load(tmp_path / "a.index").about.tuned
    assert tuned is not None
    assert 0.99 <= tuned.recall <= 1.0


@pytest.mark.parametrize("choice", CHOICES[1:], ids=str)
def test_codes_are_searched_exactly_or_not_at_all(choice: Choice, tmp_path: Path) -> None:
    made = VectorSet(64, Metric.HAMMING)
    made.change(left=NONE, ids=np.arange(9), vectors=np.zeros((9, 8), np.uint8))
    with pytest.raises(ValueError, match="engine = 'exact'"):
        made.write(tmp_path / "a.index", space_id="s", watermark=1, choice=choice)
    assert list(tmp_path.iterdir()) == []
