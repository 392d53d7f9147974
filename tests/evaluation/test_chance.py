"""Closed forms of chance against counting every pattern of hits, and the golden numbers."""

from collections.abc import Callable
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from evaluation import chance
from evaluation.relevance import Values

Pattern = tuple[int, ...]


def ap_sum(pattern: Pattern) -> float:
    return sum(sum(pattern[: at + 1]) / (at + 1) for at, hit in enumerate(pattern) if hit)


def ap_hits(pattern: Pattern) -> float:
    return ap_sum(pattern) / sum(pattern) if any(pattern) else 0.0


def reciprocal_rank(pattern: Pattern) -> float:
    return 1 / (1 + pattern.index(1)) if any(pattern) else 0.0


def any_hit(pattern: Pattern) -> float:
    return float(any(pattern))


BY_PATTERN = [
    (chance.ap_hits, ap_hits),
    (chance.ap_sum, ap_sum),
    (chance.reciprocal_rank, reciprocal_rank),
    (chance.any_hit, any_hit),
]


@pytest.mark.parametrize(("closed", "of"), BY_PATTERN)
@given(eligible=st.integers(1, 8), relevant=st.integers(0, 8), k=st.integers(1, 10))
def test_every_order_counted(
    closed: Callable[[Values], Values],
    of: Callable[[Pattern], float],
    eligible: int,
    relevant: int,
    k: int,
) -> None:
    relevant = min(relevant, eligible)
    orders = [
        tuple(int(at in places) for at in range(eligible))[:k]
        for places in combinations(range(eligible), relevant)
    ]
    expected = float(np.mean([of(order) for order in orders]))
    found = chance.expected(closed, np.array([float(eligible)]), np.array([float(relevant)]), k)
    assert found[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("p", "ap", "ap_k", "rr"),
    [
        (0.5, 0.650, 0.364, 0.689),
        (0.33, 0.502, 0.210, 0.528),
        (0.1, 0.199, 0.051, 0.203),
        (0.03, 0.066, 0.014, 0.066),
    ],
)
def test_golden_numbers_of_five_independent_ranks(
    p: float, ap: float, ap_k: float, rr: float
) -> None:
    pmf = binom.pmf(np.arange(6), 5, p)[None]
    assert chance.ap_hits(pmf)[0] == pytest.approx(ap, abs=0.0005)
    assert chance.ap_sum(pmf)[0] / 5 == pytest.approx(ap_k, abs=0.0005)
    assert chance.reciprocal_rank(pmf)[0] == pytest.approx(rr, abs=0.0005)
    # the same by all 32 patterns
    patterns = list(product((0, 1), repeat=5))
    weights = [p ** sum(one) * (1 - p) ** (5 - sum(one)) for one in patterns]
    by_hand = sum(w * ap_hits(one) for w, one in zip(weights, patterns, strict=True))
    assert chance.ap_hits(pmf)[0] == pytest.approx(by_hand, abs=1e-12)


@pytest.mark.parametrize(("eligible", "relevant"), [(1, 1), (5, 2), (7, 3), (7, 7), (6, 0)])
def test_trapezoids_of_every_order(eligible: int, relevant: int) -> None:
    def area(order: Pattern) -> float:
        total, hits = 0.0, 0
        for rank, hit in enumerate(order, 1):
            if hit:
                before = 1.0 if rank == 1 else hits / (rank - 1)
                hits += 1
                total += (before + hits / rank) / 2
        return total / (relevant + 1)

    orders = [
        tuple(int(at in places) for at in range(eligible))
        for places in combinations(range(eligible), relevant)
    ]
    found = chance.ap_trapezoid(
        np.array([float(eligible)]), np.array([float(relevant)]), np.array([relevant + 1.0])
    )
    assert found[0] == pytest.approx(float(np.mean([area(order) for order in orders])), abs=1e-12)
