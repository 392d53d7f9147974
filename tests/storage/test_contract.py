"""One contract for all that keeps vectors: files with every engine, pgvector, Milvus.

What is kept is changed through the database, saved, killed, opened again and asked, and answers as
brute force over the database's own vectors does.
"""

import itertools
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from numpy.typing import NDArray
from sqlalchemy import Engine

from storage import embeddings
from storage.answer import SpaceSummary
from storage.stores.milvus_server import Address
from storage.vector_stream import live_blocks
from storage.vectors.metric import Metric
from storage.vectors.segment import Neighbour
from tests.storage.kept_vectors import (
    EVERY,
    IN_FILES,
    IS_EXACT,
    Kept,
    KeptInFile,
    KeptInStore,
    Opener,
    store_of,
)
from tests.storage.made import add_study, reference, space

DIMENSION = 8
seeds = st.integers(0, 40)


def drawn(seed: int) -> NDArray[np.float32]:
    """Of few kinds, so that ties are the rule."""
    values = (seed % 7 + np.arange(DIMENSION) * (seed % 3 + 1)) % 5 - 1.5
    return (values / np.linalg.norm(values)).astype(np.float32)


def by_definition(metric: str, query: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The distance as a textbook has it, in double precision, summed in NumPy's order for products.

    Another order would differ in the last bit, which ties do not forgive.
    """
    one, two = query.astype(np.float64), other.astype(np.float64)
    if metric == "l2":
        return float(np.sqrt(np.vecdot(two - one, two - one)))
    return (1.0 if metric == "cosine" else 0.0) - float(np.vecdot(two, one))


class Changing(RuleBasedStateMachine):
    """Adds, retires, replaces, catches up, saves, dies, opens again and asks, in any order."""

    engine: Engine
    opener: Opener
    metric = "cosine"
    is_exact = True
    numbers = itertools.count()

    @initialize()
    def begin(self) -> None:
        number = next(self.numbers)
        self.space = replace(space(DIMENSION, f"{number}"), metric=self.metric)
        self.studies: list[int] = []
        self.kept = type(self).opener(self.space)

    @rule(some=st.lists(seeds, min_size=1, max_size=6))
    def add(self, some: list[int]) -> None:
        uid = f"1.{self.space.id.removeprefix('space-')}.{len(self.studies)}"
        with self.engine.begin() as connection:
            vectors = [drawn(seed) for seed in some]
            self.studies.append(add_study(connection, self.space, uid, vectors))

    @precondition(lambda self: self.studies)
    @rule(which=seeds)
    def retire(self, which: int) -> None:
        study = self.studies[which % len(self.studies)]
        with self.engine.begin() as connection:
            embeddings.retire_study(connection, space_id=self.space.id, study_id=study)

    @precondition(lambda self: self.studies)
    @rule(which=seeds, seed=seeds)
    def embed_again(self, which: int, seed: int) -> None:
        """A new vector is a new row."""
        study = self.studies[which % len(self.studies)]
        new = [embeddings.NewEmbedding(reference(f"9.{study}"), drawn(seed), b"png", {})]
        with self.engine.begin() as connection:
            embeddings.replace(connection, space=self.space, study_id=study, new=new)

    @rule()
    def save(self) -> None:
        self.catch_up()
        self.kept.save()

    @rule()
    def save_what_is_old(self) -> None:
        self.kept.save()

    @rule()
    def die_while_saving(self) -> None:
        self.kept.die_while_saving()
        self.kept = self.kept.reopened()

    @rule()
    def open_again(self) -> None:
        self.kept = self.kept.reopened()

    def catch_up(self) -> None:
        with self.engine.connect() as connection:
            self.kept.catch_up(connection)

    @rule(seed=seeds, k=st.integers(1, 30), share=st.sampled_from([None, 0, 2, 3]))
    def ask(self, seed: int, k: int, share: int | None) -> None:
        self.catch_up()
        held, now = self.held(), self.kept.now()
        assert now.count == len(held)
        assert now.ids().tolist() == sorted(held)
        among = None if share is None else [key for key in held if share and key % share == 0]
        allowed = None if among is None else np.array([*among, 10**9], np.int64)
        [found] = now.search_each(drawn(seed)[np.newaxis], k, among=allowed)
        nearest = sorted(
            (by_definition(self.metric, drawn(seed), held[key]), key)
            for key in (held if among is None else among)
        )
        if self.is_exact:
            assert found == [Neighbour(key, distance) for distance, key in nearest[:k]]
        else:
            assert [entry.distance for entry in found] == [one for one, _ in nearest[:k]]
            assert {(entry.distance, entry.key) for entry in found} <= set(nearest)
        for key in held:
            assert np.array_equal(now.vectors([key])[0], held[key])

    def held(self) -> dict[int, NDArray[np.float32]]:
        metric = Metric(self.metric)
        with self.engine.connect() as connection:
            blocks = list(live_blocks(connection, self.space.id, DIMENSION, metric))
        return {
            key: vector
            for keys, vectors in blocks
            for key, vector in zip(keys.tolist(), vectors, strict=True)
        }


def opener(kind: str, engine: Engine, folder: Path, milvus: Address, stack: ExitStack) -> Opener:
    def open_(of: SpaceSummary) -> Kept:
        if kind in IN_FILES:
            return KeptInFile(folder / f"{of.id}.index", of, IN_FILES[kind])
        return KeptInStore(engine, store_of(kind, engine, of, milvus, stack), of)

    return open_


def run(
    kind: str, metric: str, engine: Engine, folder: Path, milvus: Address, stack: ExitStack
) -> None:
    class Machine(Changing):
        pass

    Machine.engine, Machine.metric, Machine.is_exact = engine, metric, kind in IS_EXACT
    Machine.opener = staticmethod(opener(kind, engine, folder, milvus, stack))
    chosen = settings(
        max_examples=4,
        stateful_step_count=16,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    run_state_machine_as_test(Machine, settings=chosen)


@pytest.mark.parametrize("kind", EVERY)
def test_whatever_happens_answers_are_those_of_brute_force(
    kind: str, engine: Engine, tmp_path: Path, milvus: Address, opened: ExitStack
) -> None:
    run(kind, "cosine", engine, tmp_path, milvus, opened)


@pytest.mark.parametrize("metric", ["l2", "inner_product"])
@pytest.mark.parametrize("kind", ["pgvector exact", "milvus exact"])
def test_the_same_with_other_metrics(
    kind: str, metric: str, engine: Engine, tmp_path: Path, milvus: Address, opened: ExitStack
) -> None:
    run(kind, metric, engine, tmp_path, milvus, opened)
