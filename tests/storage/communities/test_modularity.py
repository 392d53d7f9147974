"""Weighted modularity and its gains, against the whole partition before and after, and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.communities.modularity import (
    Sums,
    coarse_gain,
    joining_gain,
    merging_gain,
    quality,
    weight_term,
)
from tests.storage.communities.by_force import Edges, between, drawn_edges, everyone, modularity

seeds = st.integers(0, 2**32 - 1)


def sums(edges: Edges, group: set[int]) -> Sums:
    degrees = sum(between(edges, [node], everyone(edges)) for node in group)
    return Sums(float(len(group)), between(edges, group, group), degrees)


def drawn(seed: int) -> tuple[Edges, list[set[int]]]:
    """A graph of 9 nodes that has an edge, in up to 4 groups."""
    random = np.random.default_rng(seed)
    edges = {(0, 1): 0.7} | dict(drawn_edges(random, 9, 0.4, equal=bool(seed % 2)))
    groups = random.integers(0, 4, 9)
    return edges, [
        found for at in range(4) if (found := set(np.flatnonzero(groups == at).tolist()))
    ]


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (Sums(1.0, 0.0, 3.0), 1.0),  # 0 / 0 in Eq. 6
        (Sums(2.0, 1.0, 4.0), 2.0),
        (Sums(4.0, 5.0, 12.0), 1 + 5 / 6),
        (Sums(4.0, 0.0, 12.0), 1.0),
    ],
)
def test_lambda_is_one_and_the_density(of: Sums, expected: float) -> None:
    assert weight_term(of) == pytest.approx(expected)
    assert weight_term(of, finer=False) == 1.0


@pytest.mark.parametrize(
    ("of", "total", "expected"),
    [
        (Sums(3.0, 3.0, 9.0), 8.0, 15 / 256),
        (Sums(1.0, 0.0, 3.0), 8.0, -9 / 256),
        (Sums(4.0, 8.0, 16.0), 8.0, 0.0),  # one community of all
    ],
)
def test_q_by_hand(of: Sums, total: float, expected: float) -> None:
    assert quality(of, total) == pytest.approx(expected)


def test_the_gain_of_merging_by_hand() -> None:
    # three nodes joined with each other, two with each other, and a query joined with 2 and 1
    region = Sums(1.0, 0.0, 3.0)
    others = Sums(np.array([3.0, 2.0]), np.array([3.0, 1.0]), np.array([9.0, 4.0]))
    gains = merging_gain(region, others, np.array([2.0, 1.0]), 8.0)
    assert gains == pytest.approx([25 / 768, 2 / 256])


def test_the_gain_of_a_node_by_hand() -> None:
    # the query with one node, of a subgraph with 5 edges; nodes of degrees 3 and 2 may join
    gains = joining_gain(Sums(2.0, 1.0, 5.0), np.array([3.0, 2.0]), np.array([2.0, 1.0]), 5.0)
    assert gains == pytest.approx([0.11, -0.01])


@settings(deadline=None)
@given(seeds)
def test_merging_is_the_difference_of_the_whole(seed: int) -> None:
    edges, groups = drawn(seed)
    one, other = groups[0], groups[-1]
    rest = [group for group in groups if group is not one and group is not other]
    if one is other:
        return
    after = modularity(edges, [one | other, *rest])
    expected = after - modularity(edges, [one, other, *rest])
    found = merging_gain(
        sums(edges, one), sums(edges, other), between(edges, one, other), sum(edges.values())
    )
    assert found == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(seeds, st.integers(0, 8))
def test_joining_is_the_difference_of_the_whole(seed: int, node: int) -> None:
    edges, groups = drawn(seed)
    others = [group for group in (group - {node} for group in groups) if group]
    total, degree = sum(edges.values()), sums(edges, {node}).degrees
    link = between(edges, [node], others[0])
    for finer, gain in (
        (True, joining_gain(sums(edges, others[0]), degree, link, total)),
        (False, coarse_gain(sums(edges, others[0]), degree, link, total)),
    ):
        after = modularity(edges, [others[0] | {node}, *others[1:]], finer=finer)
        before = modularity(edges, [others[0], {node}, *others[1:]], finer=finer)
        assert gain == pytest.approx(after - before, abs=1e-12)


def test_the_coarse_gain_in_closed_form() -> None:
    found = coarse_gain(Sums(3.0, 3.0, 9.0), 3.0, 2.0, 8.0)
    assert found == pytest.approx(2 / 8 - 9 * 3 / (2 * 8**2))
