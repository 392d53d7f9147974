"""The graph of images that are alike, against loops over all pairs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from storage.communities import graph as module
from storage.communities.graph import GraphError, ImageGraph, edges_of, image_graph
from storage.vectors.metric import VectorError

Vectors = NDArray[np.float32]
Pairs = dict[tuple[int, int], float]


def drawn(seed: int, count: int, dimension: int) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(count, dimension)) + 0.5
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def cosine(one: Vectors, two: Vectors) -> float:
    return min(1.0, math.fsum(float(a) * float(b) for a, b in zip(one, two, strict=True)))


def by_loops(vectors: Vectors, degree: float) -> tuple[Pairs, float]:
    """The pairs that are as alike as the last of so many, and that cosine; unlike ones never."""
    every = {
        (one, two): round(cosine(vectors[one], vectors[two]), 9)
        for one in range(len(vectors))
        for two in range(one + 1, len(vectors))
    }
    wanted = min(round(len(vectors) * degree / 2), len(every))
    least = sorted(every.values(), reverse=True)[wanted - 1]
    return {pair: x for pair, x in every.items() if x >= least and x > 0}, max(least, 0.0)


def pairs_of(graph: ImageGraph) -> Pairs:
    ends = zip(graph.first.tolist(), graph.second.tolist(), strict=True)
    return dict(zip(ends, graph.weights.tolist(), strict=True))


@pytest.mark.parametrize("lot", [1, 50, 1_000_000])
@pytest.mark.parametrize(
    ("count", "degree"), [(2, 1), (3, 1.5), (40, 1), (40, 7), (41, 20), (30, 29)]
)
def test_it_is_all_pairs_that_reach_the_threshold(
    monkeypatch: pytest.MonkeyPatch, count: int, degree: float, lot: int
) -> None:
    monkeypatch.setattr(module, "LOT", lot)
    vectors = drawn(count, count, 6)
    graph = image_graph(vectors, degree)
    expected, threshold = by_loops(vectors, degree)
    assert pairs_of(graph) == pytest.approx(expected, abs=2e-9)
    assert list(pairs_of(graph)) == sorted(expected)
    assert graph.threshold == pytest.approx(threshold, abs=2e-9)


def test_the_mean_degree_is_the_one_asked_for() -> None:
    graph = image_graph(drawn(1, 500, 8), 20)
    assert graph.mean_degree == 20
    assert graph.degrees.sum() == pytest.approx(2 * graph.weights.sum())


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(1, 5))
def test_neighbours_are_the_edges_of_both_ends(seed: int, count: int, dimension: int) -> None:
    graph = image_graph(drawn(seed, count, dimension), 1)
    expected: dict[int, list[tuple[int, float]]] = {node: [] for node in range(count)}
    for (one, two), weight in pairs_of(graph).items():
        expected[one].append((two, weight))
        expected[two].append((one, weight))
    for node in range(count):
        others, weights = graph.adjacency.of(node)
        assert list(zip(others.tolist(), weights.tolist(), strict=True)) == sorted(expected[node])
        assert graph.degrees[node] == pytest.approx(sum(w for _, w in expected[node]))
    assert graph.alone == sum(not some for some in expected.values())


def test_the_edges_of_several_nodes() -> None:
    graph = image_graph(drawn(3, 20, 3), 4)
    nodes = np.array([7, 0, 19])
    ones, others, weights = graph.adjacency.of_all(nodes)
    expected = [
        (node, other, weight)
        for node in nodes.tolist()
        for other, weight in zip(*map(np.ndarray.tolist, graph.adjacency.of(node)), strict=True)
    ]
    assert list(zip(ones.tolist(), others.tolist(), weights.tolist(), strict=True)) == expected


def test_equal_vectors_are_all_joined_whatever_the_degree() -> None:
    graph = image_graph(np.tile(drawn(0, 1, 5), (6, 1)), 1)
    assert len(graph.weights) == 15
    assert graph.weights == pytest.approx(1.0)
    assert graph.weights.max() <= 1.0


def test_what_is_unlike_is_never_joined() -> None:
    cross = np.array([[1, 0], [0.6, 0.8], [0, 1], [-1, 0], [0, -1]], np.float32)
    graph = image_graph(cross, 4)
    assert pairs_of(graph) == pytest.approx({(0, 1): 0.6, (1, 2): 0.8})
    assert graph.alone == 2


def test_where_nothing_is_alike_there_are_no_edges() -> None:
    graph = image_graph(np.eye(4, dtype=np.float32), 2)
    assert (len(graph.weights), graph.mean_degree, graph.alone) == (0, 0, 4)
    assert graph.threshold > 0


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 1.0))
def test_the_edges_of_a_query(seed: int, threshold: float) -> None:
    vectors = drawn(seed, 30, 4)
    nodes, weights = edges_of(vectors[0], vectors[1:], threshold)
    every = [round(cosine(vectors[0], other), 9) for other in vectors[1:]]
    expected = {node: x for node, x in enumerate(every) if x >= threshold}
    assert dict(zip(nodes.tolist(), weights.tolist(), strict=True)) == pytest.approx(expected)


def test_a_query_like_a_node_has_its_edges() -> None:
    vectors = drawn(5, 200, 6)
    graph = image_graph(vectors, 12)
    for node in range(200):
        nodes, weights = edges_of(vectors[node], vectors, graph.threshold)
        others = nodes != node
        assert (nodes[others] == graph.adjacency.of(node)[0]).all()
        assert (weights[others] == graph.adjacency.of(node)[1]).all()


@pytest.mark.parametrize(
    ("count", "degree", "told"),
    [
        (0, 1, "two vectors at least, there are 0"),
        (1, 1, "two vectors at least, there are 1"),
        (5, 0.5, "at least 1 and below 5"),
        (5, 5, "degree is 5; of 5 vectors"),
        (5, math.nan, "degree is nan"),
    ],
)
def test_a_graph_that_cannot_be(count: int, degree: float, told: str) -> None:
    with pytest.raises(GraphError, match=told):
        image_graph(drawn(0, count, 3), degree)


@pytest.mark.parametrize(
    ("wrong", "told"), [(math.nan, "NaN or infinity"), (math.inf, "NaN"), (3.0, "unit length")]
)
def test_vectors_that_are_none(wrong: float, told: str) -> None:
    vectors = drawn(0, 5, 3)
    vectors[2, 1] = wrong
    with pytest.raises(VectorError, match=told):
        image_graph(vectors, 2)
