"""A set of vectors against a dictionary and brute force, through every kind of change."""

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from numpy.typing import NDArray

from storage.vectors import base as bases
from storage.vectors.metric import Metric, Vectors
from storage.vectors.segment import Neighbour
from storage.vectors.vector_set import VectorSet

DIMENSION = 16
ids = st.lists(st.integers(1, 60), max_size=12, unique=True)
seeds = st.integers(0, 5)


def drawn(metric: Metric, keys: list[int], seed: int) -> Vectors:
    """Vectors of which many are equal, or as far from a third, so that ties are the rule."""
    values = np.array(keys, np.int64)[:, None] % 7 + np.arange(DIMENSION) * (seed + 1)
    if metric is Metric.HAMMING:
        return ((values * 37) % 251).astype(np.uint8)[:, : DIMENSION // 8]
    found = (values % 5 - 1.5).astype(np.float32)
    if metric is Metric.COSINE:
        found /= np.linalg.norm(found.astype(np.float64), axis=1, keepdims=True).astype(np.float32)
    return found


def by_definition(metric: Metric, query: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The distance as a textbook has it."""
    match metric:
        case Metric.COSINE:
            return float(1.0 - np.sum(query * other))
        case Metric.INNER_PRODUCT:
            return float(-np.sum(query * other))
        case Metric.L2:
            return float(np.sqrt(np.sum((query - other) ** 2)))
        case Metric.HAMMING:
            bits = np.unpackbits(query.astype(np.uint8)) != np.unpackbits(other.astype(np.uint8))
            return float(bits.sum())


def brute(
    metric: Metric, held: dict[int, Vectors], query: Vectors, k: int, among: set[int] | None
) -> list[tuple[float, int]]:
    """The k nearest, by distance and then by id."""
    return sorted(
        (by_definition(metric, query.astype(np.float64), vector.astype(np.float64)), key)
        for key, vector in held.items()
        if among is None or key in among
    )[:k]


class Changing(RuleBasedStateMachine):
    """Adds, replaces, deletes, saves, loads and searches, in any order."""

    metric = Metric.COSINE
    folder = Path()

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[int, Vectors] = {}
        self.set = VectorSet(DIMENSION, self.metric)
        self.file = self.folder / "a.index"
        self.file.unlink(missing_ok=True)

    @rule(left=ids, keys=ids, seed=seeds)
    def change(self, left: list[int], keys: list[int], seed: int) -> None:
        vectors = drawn(self.metric, keys, seed)
        if not keys:
            vectors = np.empty((0, self.metric.width(DIMENSION)), self.metric.dtype)
        self.set.change(left=np.array(left, int), ids=np.array(keys, int), vectors=vectors)
        self.held = {key: vector for key, vector in self.held.items() if key not in left}
        self.held.update(zip(keys, vectors, strict=True))

    @rule()
    def save_and_go_on(self) -> None:
        self.set.write(self.file, space_id="s", watermark=1)
        self.set.adopt(bases.load(self.file))
        assert self.set.changed == 0

    @rule()
    def save_and_load(self) -> None:
        self.set.write(self.file, space_id="s", watermark=1)
        self.set = VectorSet.of(bases.load(self.file))

    @rule()
    def save(self) -> None:
        self.set.write(self.file, space_id="s", watermark=1)

    @rule()
    def adopt_what_was_saved_some_time_ago(self) -> None:
        if self.file.exists():
            self.set.adopt(bases.load(self.file))

    @rule(asked=st.integers(1, 60), seed=seeds, k=st.integers(1, 30), among=st.none() | ids)
    def search(self, asked: int, seed: int, k: int, among: list[int] | None) -> None:
        query = drawn(self.metric, [asked], seed)
        chosen = None if among is None else np.array(among, int)
        [found] = self.set.search(query, k, chosen)
        expected = brute(self.metric, self.held, query[0], k, None if among is None else set(among))
        assert found == [Neighbour(key, distance) for distance, key in expected]

    @invariant()
    def holds_what_it_should(self) -> None:
        assert self.set.ids().tolist() == sorted(self.held)
        assert self.set.count == len(self.held)
        for key, vector in self.held.items():
            assert np.array_equal(self.set.vectors([key])[0], vector)


@pytest.mark.parametrize("metric", Metric)
def test_whatever_happens_answers_are_those_of_brute_force(metric: Metric, tmp_path: Path) -> None:
    class Machine(Changing):
        pass

    Machine.metric, Machine.folder = metric, tmp_path
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=25, stateful_step_count=25, deadline=None)
    )
