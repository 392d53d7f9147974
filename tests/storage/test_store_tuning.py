"""The graph of a store: what it finds is measured, told, and searched as widely as it takes."""

import logging
from collections.abc import Iterator

import numpy as np
import pytest
from sqlalchemy import Engine

from storage.recall import Questions, recall
from storage.stores import pgvector, pgvector_tables
from storage.stores.pgvector import PgVectorStore
from storage.stores.store import NO_IDS, Mark, Measured
from storage.stores.stored_index import StoredIndex
from storage.stores.tuning import must_be_measured, tune
from storage.vectors.choice import EXACT, Choice, Kind, Precision
from tests.storage.kept_vectors import prefer_graphs
from tests.storage.made import space

COUNT, WIDTH = 1500, 48
SPACE = space(WIDTH)
GRAPH = Choice(Kind.HNSW)


@pytest.fixture
def store(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[PgVectorStore]:
    """With a graph of few edges through noise: searched narrowly it misses some."""
    monkeypatch.setattr(pgvector_tables, "HNSW_LINKS", 6)
    monkeypatch.setattr(pgvector_tables, "HNSW_BUILD", 12)
    monkeypatch.setattr(pgvector, "BREADTH", 20)
    vectors = np.random.default_rng(2).normal(size=(COUNT, WIDTH))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    prefer_graphs(engine)
    made = PgVectorStore(engine, SPACE, GRAPH)
    rows = vectors.astype(np.float32)
    made.change(left=NO_IDS, ids=np.arange(COUNT), vectors=rows, watermark=1)
    made.build()
    yield made
    made.close()


def by_definition(index: StoredIndex) -> float:
    """Recall@10, counted by brute force over the vectors themselves, of all of them as queries."""
    vectors = index.vectors(index.ids())
    order = np.argsort(-(vectors.astype(np.float64) @ vectors.T.astype(np.float64)), axis=1)
    hits = [
        len({entry.key for entry in index.search(vectors[key], 11)} & set(order[key, :11].tolist()))
        for key in range(0, COUNT, 5)
    ]
    return float((np.mean(hits) - 1) / 10)


def test_the_measure_is_that_of_brute_force(store: PgVectorStore) -> None:
    index = StoredIndex(store, SPACE)
    store.keep_measured(Measured(breadth=1))
    truth = by_definition(index)
    assert truth < 0.99
    assert recall(index) == pytest.approx(truth, abs=0.06)  # 200 questions, 300 in the truth
    assert Questions(index).found_by(index.exactly()) == 1.0


def test_a_search_is_widened_until_it_finds_enough_and_all_nodes_know(
    store: PgVectorStore, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        measured = tune(engine, store, StoredIndex(store, SPACE))
    assert measured.recall >= 0.995
    assert measured.breadth in {40, 80, 160, 320, 640}
    assert f"a breadth of {measured.breadth}" in caplog.text
    elsewhere = PgVectorStore(engine, SPACE, GRAPH)
    assert elsewhere.mark() == Mark(1, store.mark().longest, measured, COUNT)
    assert by_definition(StoredIndex(elsewhere, SPACE)) >= 0.99
    elsewhere.close()


def test_where_no_breadth_is_enough_the_remedy_is_told(
    store: PgVectorStore,
    engine: Engine,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pgvector, "MOST_BREADTH", 30)
    assert tune(engine, store, StoredIndex(store, SPACE)).recall < 0.99
    [told] = [entry for entry in caplog.records if entry.levelno == logging.ERROR]
    assert "store_search = 'exact'" in told.getMessage()


def test_a_breadth_is_forgotten_with_the_graph_that_it_was_measured_for(
    store: PgVectorStore, engine: Engine
) -> None:
    store.keep_measured(Measured(80, 0.997, COUNT))
    store.build()
    assert store.mark().measured == Measured(80, 0.997, COUNT)
    half = PgVectorStore(engine, SPACE, Choice(Kind.HNSW, Precision.FP16))
    half.build()
    assert half.mark().measured == Measured()
    half.keep_measured(Measured(80, 0.997, COUNT))
    half.empty()
    assert half.mark() == Mark()
    half.close()


@pytest.mark.parametrize(
    ("choice", "measured_with", "count", "due"),
    [
        (GRAPH, 0, 100, True),
        (GRAPH, 100, 199, False),
        (GRAPH, 100, 200, True),
        (GRAPH, 0, 0, False),
        (EXACT, 0, 100, False),
    ],
)
def test_a_graph_is_measured_again_once_it_has_doubled(
    choice: Choice, measured_with: int, count: int, due: bool, engine: Engine
) -> None:
    store = PgVectorStore(engine, SPACE, choice)
    assert must_be_measured(store, Measured(80, 1.0, measured_with), count) is due
    store.close()
