"""Growing a region, against an exhaustive greedy search and by hand."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.communities.growing import Communities, Step, grown
from tests.storage.communities.by_force import QUERY, drawn_edges, graph_of, grown_by_force

seeds = st.integers(0, 2**32 - 1)
NOBODY = np.zeros(0, np.int64)
SPARSE = 60
"""Graphs in which a community is left for another and come back to."""

# 1, 4 and 0 are joined with each other, 3 with 2, and 0 with 3
FIVE = {(0, 1): 1.0, (0, 3): 1.0, (0, 4): 1.0, (1, 4): 1.0, (2, 3): 1.0}
LABELS = np.array([0, 0, 1, 1, 0])


def five(nodes: list[int], left_out: list[int] | None = None) -> list[Step]:
    """The steps from a query that is joined with some of the five, by edges of weight 1."""
    edges = (np.array(nodes, np.int64), np.ones(len(nodes)))
    communities = Communities.of(graph_of(5, FIVE), LABELS)
    return list(grown(communities, edges, np.array(left_out or [], np.int64)))


def test_by_hand() -> None:
    # step 1: community 0 gains 25/768, 1 gains 2/256. Step 2: nodes 1 and 4 gain 3/100 each, so
    # that 1 joins; then 4 gains 11/100 and 0 loses 1/100. Then the other community.
    assert five([1, 3, 4]) == [(1, 0), (4, 0), (0, 0), (3, 1), (2, 1)]


def test_a_query_without_edges_grows_nothing() -> None:
    assert five([]) == []


def test_who_is_left_out_is_not_taken_and_leads_nowhere() -> None:
    # only 0 leads from the first community to the second
    assert five([1, 4], [0]) == [(1, 0), (4, 0)]
    assert five([0], [0]) == []


def test_a_node_that_only_others_lead_to_is_not_taken_before_them() -> None:
    assert five([2]) == [(2, 1), (3, 1), (0, 0), (1, 0), (4, 0)]


@pytest.mark.parametrize("k", range(6))
def test_the_first_k_do_not_depend_on_k(k: int) -> None:
    communities = Communities.of(graph_of(5, FIVE), LABELS)
    edges = (np.array([1, 3, 4]), np.ones(3))
    assert list(islice(grown(communities, edges, NOBODY), k)) == five([1, 3, 4])[:k]


def compared(random: np.random.Generator, count: int, share: float, equal: bool, gone: int) -> None:
    """Both ways on a graph by lot; groups by lot do not hang together, so that some come again."""
    edges = drawn_edges(random, count, share, equal)
    labels = np.unique(random.integers(0, 3, count), return_inverse=True)[1]
    asked = np.flatnonzero(random.random(count) < 0.4)
    weights = np.full(len(asked), 0.3) if equal else random.uniform(0.1, 1.0, len(asked))
    left_out = np.sort(random.permutation(count)[: min(gone, count)])
    communities = Communities.of(graph_of(count, edges), labels)
    found = list(grown(communities, (asked, weights), left_out))

    stays = [node for node in range(count) if node not in left_out]
    whole = {pair: weight for pair, weight in edges.items() if set(pair) <= set(stays)} | {
        (QUERY, int(node)): float(weight)
        for node, weight in zip(asked, weights, strict=True)
        if node in stays
    }
    groups = [
        [node for node in stays if labels[node] == label] for label in range(labels.max() + 1)
    ]
    assert [step.node for step in found] == grown_by_force(whole, groups)
    assert [step.community for step in found] == [labels[step.node] for step in found]


@settings(deadline=None)
@given(seeds, st.integers(2, 10), st.floats(0.1, 0.9), st.booleans(), st.integers(0, 3))
def test_it_is_the_exhaustive_greedy_search(
    seed: int, count: int, share: float, equal: bool, gone: int
) -> None:
    compared(np.random.default_rng(seed), count, share, equal, gone)


@pytest.mark.parametrize("seed", range(SPARSE))
def test_it_is_that_where_communities_fall_apart(seed: int) -> None:
    compared(np.random.default_rng(seed), 16, 0.15, bool(seed % 2), 1)


def test_a_graph_is_not_changed_by_being_asked() -> None:
    communities = Communities.of(graph_of(5, FIVE), LABELS)
    edges = (np.array([1, 3, 4]), np.ones(3))
    first = list(grown(communities, edges, np.array([0])))
    list(grown(communities, edges, NOBODY))
    assert list(grown(communities, edges, np.array([0]))) == first
