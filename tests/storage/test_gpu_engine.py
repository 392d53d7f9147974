"""Exact search on a GPU: the CPU's answers, from as many threads as ask."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faiss
import numpy as np
import pytest

from storage.vectors import base as bases
from storage.vectors.gpu import GpuEngine, NoGpuError, must_have_gpu
from storage.vectors.metric import Metric, Vectors
from storage.vectors.vector_set import VectorSet

COUNT, DIMENSION, K = 5000, 64, 10
NONE = np.empty(0, np.int64)
HAS_GPU = hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0


def vectors_of(metric: Metric, count: int) -> Vectors:
    found = np.random.default_rng(2).normal(size=(count, DIMENSION))
    if metric is Metric.COSINE:
        found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found.astype(np.float32)


def in_file(metric: Metric, path: Path) -> VectorSet:
    made = VectorSet(DIMENSION, metric)
    made.change(left=NONE, ids=np.arange(COUNT), vectors=vectors_of(metric, COUNT))
    made.write(path, space_id="s", watermark=1)
    return VectorSet.of(bases.load(path))


@pytest.mark.skipif(HAS_GPU, reason="left out: FAISS has a GPU here")
def test_without_a_gpu_the_setting_is_named() -> None:
    with pytest.raises(NoGpuError, match=r"index\.device = 'cpu'"):
        must_have_gpu()


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_GPU, reason="left out: FAISS has no GPU here")
@pytest.mark.parametrize("metric", [Metric.COSINE, Metric.INNER_PRODUCT, Metric.L2])
def test_a_gpu_finds_what_a_cpu_finds(metric: Metric, tmp_path: Path) -> None:
    made = in_file(metric, tmp_path / "a.index")
    file = bases.load(tmp_path / "a.index")
    engine = GpuEngine(file)
    made.change(left=np.arange(0, 100), ids=NONE, vectors=vectors_of(metric, 0))
    there = made.searched_by(lambda _: engine)
    queries = vectors_of(metric, 40)
    for among in (None, np.arange(0, COUNT, 2), np.arange(200, 210)):
        for k in (1, K, COUNT):
            assert there.search(queries, k, among) == made.search(queries, k, among)


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_GPU, reason="left out: FAISS has no GPU here")
def test_threads_that_ask_at_a_time_get_their_own_answers(tmp_path: Path) -> None:
    made = in_file(Metric.COSINE, tmp_path / "a.index")
    engine = GpuEngine(bases.load(tmp_path / "a.index"))
    there = made.searched_by(lambda _: engine)
    queries = vectors_of(Metric.COSINE, 200)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: there.search(queries[n : n + 1], K)[0], range(200)))
    assert found == made.search(queries, K)
