"""The second stage of a volume search, against a double loop and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from storage.late_interaction import SLICES_AT_ONCE, max_sim, places_by_score, scores
from storage.slices import as_unit

Set = NDArray[np.float64]

EYE: Set = np.eye(3)


def drawn(seed: int, slices: int, dimension: int) -> Set:
    return as_unit(np.random.default_rng(seed).normal(size=(slices, dimension)))


def looped(query: Set, other: Set) -> float:
    """The published sum, slice by slice and number by number, over the query's slices."""
    total = 0.0
    for mine in query:
        total += max(sum(a * b for a, b in zip(mine, theirs, strict=True)) for theirs in other)
    return total / len(query)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9), st.integers(1, 20))
def test_it_is_the_double_loop(seed: int, mine: int, theirs: int, dimension: int) -> None:
    query, other = drawn(seed, mine, dimension), drawn(seed + 1, theirs, dimension)
    assert max_sim(query, other) == pytest.approx(looped(query, other), abs=2e-9)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 64))
def test_a_set_is_exactly_like_itself_in_whatever_order(
    seed: int, slices: int, dimension: int
) -> None:
    query = drawn(seed, slices, dimension)
    shuffled = np.random.default_rng(seed).permutation(query)
    assert max_sim(query, query) == max_sim(query, shuffled) == max_sim(shuffled, query) == 1.0


@pytest.mark.parametrize(
    ("query", "other", "expected"),
    [
        (EYE[:1], EYE, 1.0),  # one slice that is there
        (EYE, EYE[:1], 1 / 3),  # of three slices one is there
        (EYE[:2], EYE[2:], 0.0),
        (EYE[:1], -EYE[:1], -1.0),
        (EYE[:2], np.array([[0.6, 0.8, 0.0]]), 0.7),
        (EYE[:1], np.array([[0.6, 0.8, 0.0], [0.8, 0.6, 0.0]]), 0.8),
    ],
)
def test_by_hand(query: Set, other: Set, expected: float) -> None:
    assert max_sim(query, other) == pytest.approx(expected, abs=1e-9)


def test_scores_do_not_depend_on_what_else_is_scored() -> None:
    query, others = drawn(0, 7, 33), [(n, drawn(n, n, 33)) for n in range(1, 9)]
    together = scores(query, others)
    assert together == {n: scores(query, [(n, other)])[n] for n, other in reversed(others)}


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_several_sets_of_a_study_are_as_one(seed: int, lengths: list[int]) -> None:
    query, other = drawn(seed, 4, 11), drawn(seed + 1, sum(lengths), 11)
    sets = np.split(other, np.cumsum(lengths)[:-1])
    assert scores(query, [(7, own) for own in sets])[7] == pytest.approx(
        max_sim(query, other), abs=2e-9
    )


def test_a_query_of_very_many_slices_is_compared_whole() -> None:
    query, other = drawn(1, SLICES_AT_ONCE + 3, 5), drawn(2, 3, 5)
    assert max_sim(query, other) == pytest.approx(looped(query, other), abs=2e-9)


@pytest.mark.parametrize("empty", [(EYE[:0], EYE), (EYE, EYE[:0])])
def test_a_set_without_slices_is_like_nothing(empty: tuple[Set, Set]) -> None:
    with pytest.raises(ValueError, match="without slices"):
        max_sim(*empty)


A, B, C, D = (1, "1.1"), (2, "1.2"), (3, "1.3"), (4, "1.4")


@pytest.mark.parametrize(
    ("ranked", "scored", "expected"),
    [
        ([A, B, C], {}, [A, B, C]),
        ([A, B, C], {1: 0.1, 2: 0.2, 3: 0.3}, [C, B, A]),
        ([A, B, C], {1: 0.1, 3: 0.3}, [C, B, A]),  # 1.2 has no set: it stays the second
        ([A, B, C], {2: 0.9}, [A, B, C]),  # nothing to change places with
        ([D, C, B, A], {1: 0.5, 2: 0.5, 4: 0.5}, [A, C, B, D]),  # ties by Study Instance UID
        ([A, B], {1: 0.5, 2: 0.6, 9: 1.0}, [B, A]),  # one that is not ranked
        ([], {}, []),
    ],
)
def test_places(
    ranked: list[tuple[int, str]], scored: dict[int, float], expected: list[tuple[int, str]]
) -> None:
    assert [ranked[at] for at in places_by_score(ranked, scored)] == expected
