"""Communities, against igraph's own figures, published ones, and by hand."""

import sys
from itertools import pairwise

import igraph
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.communities.graph import GraphError, ImageGraph, image_graph
from storage.communities.partition import (
    LackingError,
    Method,
    must_be_installed,
    numbered,
    partitioned,
    sums_of,
    weighted_modularity,
)
from tests.storage.communities.by_force import drawn_edges, graph_of, modularity
from tests.storage.communities.test_graph import drawn

METHODS = pytest.mark.parametrize("method", list(Method))
SOME = image_graph(drawn(1, 300, 5), 12)


def cliques(*sizes: int) -> ImageGraph:
    """Groups in which all are joined with each other, the first of each with that of the next."""
    starts = np.cumsum([0, *sizes]).tolist()
    edges = {
        (one, two): 1.0
        for at, size in zip(starts, sizes, strict=False)
        for one in range(at, at + size)
        for two in range(one + 1, at + size)
    } | dict.fromkeys(pairwise(starts[:-1]), 0.1)
    return graph_of(sum(sizes), edges)


def karate() -> ImageGraph:
    """Zachary's karate club (1977)."""
    club = igraph.Graph.Famous("Zachary")
    return graph_of(34, {(min(pair), max(pair)): 1.0 for pair in club.get_edgelist()})


@METHODS
def test_cliques_are_communities(method: Method) -> None:
    found = partitioned(cliques(4, 3, 5), method)
    assert found.labels.tolist() == [0] * 4 + [1] * 3 + [2] * 5
    assert (found.count, found.sizes().tolist()) == (3, [4, 3, 5])


@METHODS
def test_the_karate_club_is_divided_as_well_as_can_be(method: Method) -> None:
    # 0.4198 is the greatest modularity that the club can have (Brandes et al. 2008, table 1)
    graph = karate()
    best = max(
        weighted_modularity(graph, partitioned(graph, method, seed=seed).labels, finer=False)
        for seed in range(5)
    )
    assert best == pytest.approx(0.4198, abs=0.005)
    assert best < 0.41981


@METHODS
def test_a_seed_gives_the_same_again(method: Method) -> None:
    first, again = (partitioned(SOME, method, seed=7).labels for _ in range(2))
    assert (first == again).all()
    others = [partitioned(SOME, method, seed=seed).labels for seed in range(20)]
    assert any((other != first).any() for other in others)


@METHODS
def test_more_communities_of_a_greater_resolution(method: Method) -> None:
    few, more = (partitioned(SOME, method, resolution=one).count for one in (1.0, 8.0))
    assert few < more


@METHODS
def test_small_communities_are_given_to_those_they_are_joined_with(method: Method) -> None:
    graph = cliques(4, 3, 5)
    # of the three the fourth gains 0.1 / 19.2 - d_c d_n / (2 L^2) from either, less from the five
    assert partitioned(graph, method, least=4).labels.tolist() == [0] * 7 + [1] * 5
    assert partitioned(graph, method, least=6).count == 1


@METHODS
def test_who_is_joined_with_nobody_stays_alone(method: Method) -> None:
    graph = graph_of(5, {(0, 1): 1.0, (1, 2): 1.0, (0, 2): 1.0})
    assert partitioned(graph, method, least=4).labels.tolist() == [0, 0, 0, 1, 2]


@METHODS
def test_a_graph_without_edges(method: Method) -> None:
    assert partitioned(graph_of(3, {}), method).labels.tolist() == [0, 1, 2]


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_modularity_is_the_definition_and_igraphs(seed: int, finer: bool) -> None:
    random = np.random.default_rng(seed)
    edges = {(0, 1): 0.5} | dict(drawn_edges(random, 9, 0.5, equal=False))
    graph = graph_of(9, edges)
    labels = np.unique(random.integers(0, 4, 9), return_inverse=True)[1]
    groups = [set(np.flatnonzero(labels == at).tolist()) for at in range(labels.max() + 1)]
    found = weighted_modularity(graph, labels, finer=finer)
    assert found == pytest.approx(modularity(edges, groups, finer=finer), abs=1e-12)
    if not finer:
        theirs = igraph.Graph(9, sorted(edges)).modularity(labels.tolist(), graph.weights.tolist())
        assert found == pytest.approx(theirs, abs=1e-12)


def test_the_sums_of_communities() -> None:
    found = sums_of(cliques(3, 2), np.array([0, 0, 0, 1, 1]))
    assert found.nodes == pytest.approx([3, 2])
    assert found.inside == pytest.approx([3, 1])
    assert found.degrees == pytest.approx([6.1, 2.1])


def test_numbers_follow_the_order_of_the_nodes() -> None:
    assert numbered(np.array([5, 2, 5, 9, 2])).tolist() == [0, 1, 0, 2, 1]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"resolution": 0.0}, "resolution is 0"),
        ({"resolution": float("nan")}, "resolution is nan"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**31}, "seed is 2147483648"),
        ({"least": 0}, "the least is 1"),
    ],
)
def test_numbers_out_of_range(wrong: dict[str, float], told: str) -> None:
    with pytest.raises(GraphError, match=told):
        partitioned(SOME, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("graph", "labels", "told"),
    [
        (graph_of(3, {}), 3, "without edges"),
        (SOME, 299, "299 labels for 300 nodes"),
    ],
)
def test_there_is_no_modularity_of_it(graph: ImageGraph, labels: int, told: str) -> None:
    with pytest.raises(GraphError, match=told):
        weighted_modularity(graph, np.zeros(labels, np.int64))


@pytest.mark.parametrize(
    ("method", "package"),
    [(Method.LOUVAIN, "igraph"), (Method.LEIDEN, "igraph"), (Method.LEIDEN, "leidenalg")],
)
def test_a_library_that_is_not_here_is_named(
    monkeypatch: pytest.MonkeyPatch, method: Method, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(LackingError, match=rf"{package}.*likeness-node\[communities\]"):
        partitioned(SOME, method)
    with pytest.raises(LackingError, match=package):
        must_be_installed(method)


@METHODS
def test_what_is_installed_is_not_lacking(method: Method) -> None:
    must_be_installed(method)
