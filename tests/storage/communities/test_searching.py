"""Communities as a search strategy: who is found, in what order, and how it is said."""

import math
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from storage.communities.graph import GraphError
from storage.communities.partition import Method
from storage.communities.searching import NO_COMMUNITY, CommunityIndex, Way
from storage.vectors.metric import VectorError
from tests.storage.communities.by_force import QUERY, grown_by_force
from tests.storage.communities.test_graph import cosine, drawn

Vectors = NDArray[np.float32]

COUNT = 40
KEYS = np.random.default_rng(0).permutation(1000)[:COUNT]


def index_of(vectors: Vectors, degree: float = 4) -> CommunityIndex:
    return CommunityIndex.build(vectors, KEYS[: len(vectors)], degree)


def by_force(index: CommunityIndex, query: Vectors, left_out: set[int]) -> list[int]:
    """The keys in their order: Algorithm 2 from scratch, then the others by distance."""
    stays = [row for row in range(index.count) if int(index.keys[row]) not in left_out]
    points = {row: index.vectors[row] for row in stays} | {QUERY: query}
    edges = {
        (one, two): x
        for one in points
        for two in points
        if one < two and (x := round(cosine(points[one], points[two]), 9)) >= index.graph.threshold
    }
    labels = index.partition.labels
    groups = [[row for row in stays if labels[row] == at] for at in range(index.partition.count)]
    region = grown_by_force(edges, groups)
    rest = sorted(set(stays) - set(region), key=lambda row: (-cosine(query, points[row]), row))
    return [int(index.keys[row]) for row in (*region, *rest)]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_it_is_the_whole_algorithm_from_scratch(seed: int, gone: int) -> None:
    vectors = drawn(seed, 13, 3)
    index = index_of(vectors[:12], degree=3)
    left_out = set(KEYS[:gone].tolist())
    found = index.search(vectors[12], 12, left_out).found
    assert [one.key for one in found] == by_force(index, vectors[12], left_out)


def test_distances_are_cosines_and_the_way_is_told() -> None:
    vectors = drawn(1, COUNT, 4)
    index, query = index_of(vectors), drawn(2, 1, 4)[0]
    answer = index.search(query, COUNT)
    row_of = {int(key): row for row, key in enumerate(index.keys)}
    for one in answer.found:
        row = row_of[one.key]
        assert one.distance == pytest.approx(1 - cosine(query, index.vectors[row]))
        grown = one.way is Way.REGION
        assert one.community == (index.partition.labels[row] if grown else NO_COMMUNITY)
    ways = [one.way for one in answer.found]
    assert ways == sorted(ways, key=[Way.REGION, Way.NEAREST].index)
    assert answer.by_region == ways.count(Way.REGION)
    assert 0 < answer.by_region < COUNT


def test_a_query_without_edges_has_the_plain_nearest_and_says_so() -> None:
    vectors = drawn(1, COUNT, 4)
    far = -vectors.mean(axis=0)
    query = np.asarray(far / np.linalg.norm(far), np.float32)
    index = index_of(vectors)
    answer = index.search(query, 5)
    nearest = sorted(range(COUNT), key=lambda row: -cosine(query, index.vectors[row]))[:5]
    assert (answer.edges, answer.by_region) == (0, 0)
    assert [one.key for one in answer.found] == index.keys[nearest].tolist()
    assert {one.way for one in answer.found} == {Way.NEAREST}


def test_equally_near_ones_stand_by_key() -> None:
    vectors = np.tile(np.eye(3, dtype=np.float32)[:1], (6, 1))
    index = CommunityIndex.build(vectors, [5, 3, 9, 1, 7, 2], 2)
    for query in np.eye(3, dtype=np.float32)[:2]:  # joined with all, and with none
        assert [one.key for one in index.search(query, 4).found] == [1, 2, 3, 5]


def test_the_order_of_building_does_not_matter() -> None:
    vectors, query = drawn(4, COUNT, 4), drawn(5, 1, 4)[0]
    order = np.random.default_rng(6).permutation(COUNT)
    shuffled = CommunityIndex.build(vectors[order], KEYS[order], 4)
    assert shuffled.search(query, 9) == index_of(vectors).search(query, 9)


@pytest.mark.parametrize("method", list(Method))
def test_a_member_does_not_find_itself(method: Method) -> None:
    index = CommunityIndex.build(drawn(7, COUNT, 4), KEYS, 4, method, resolution=2.0, least=2)
    for key, vector in zip(index.keys.tolist(), index.vectors, strict=True):
        answer = index.search_member(key, COUNT)
        assert sorted(one.key for one in answer.found) == sorted(set(KEYS.tolist()) - {key})
        assert answer == index.search(vector, COUNT, [key])


def test_who_is_excluded_is_not_found_nor_counted() -> None:
    index = index_of(drawn(8, COUNT, 4), degree=12)
    query = index.vectors[0]
    first = index.search(query, 3).found
    gone = [one.key for one in first]
    answer = index.search(query, COUNT, gone)
    assert not set(gone) & {one.key for one in answer.found}
    joined = {
        int(key)
        for key, vector in zip(index.keys, index.vectors, strict=True)
        if round(cosine(query, vector), 9) >= index.graph.threshold
    }
    assert answer.edges == len(joined - set(gone)) > 0


def test_a_key_that_is_not_held_changes_nothing() -> None:
    index = index_of(drawn(8, COUNT, 4))
    query = index.vectors[0]
    assert index.search(query, 3, [123_456]) == index.search(query, 3)


def test_all_may_be_excluded() -> None:
    index = index_of(drawn(8, COUNT, 4))
    assert index.search(index.vectors[0], 3, KEYS.tolist()).found == ()


def test_as_many_as_are_wanted_come_without_saying_how_many() -> None:
    index = index_of(drawn(9, COUNT, 4))
    each = islice(index.each(index.vectors[0], [int(index.keys[0])]), 7)
    assert tuple(each) == index.search_member(int(index.keys[0]), 7).found


@pytest.mark.parametrize(
    ("keys", "told"),
    [([1, 2], "2 keys for 3 vectors"), ([4, 1, 4], "key 4 stands more than once")],
)
def test_keys_that_do_not_fit(keys: list[int], told: str) -> None:
    with pytest.raises(GraphError, match=told):
        CommunityIndex.build(drawn(0, 3, 3), keys, 1)


def test_questions_that_cannot_be_asked() -> None:
    index = index_of(drawn(0, COUNT, 4))
    with pytest.raises(GraphError, match="k is 0"):
        index.search(index.vectors[0], 0)
    with pytest.raises(GraphError, match="key -5 is not held"):
        index.search_member(-5, 1)
    for wrong in (np.full(4, math.nan), np.ones(4), np.eye(5)[0]):
        with pytest.raises(VectorError):
            index.search(wrong.astype(np.float32), 1)


@pytest.mark.parametrize("gone", [0, 5, COUNT])
def test_edges_are_counted_as_a_search_counts_them(gone: int) -> None:
    index, query = index_of(drawn(8, COUNT, 4)), drawn(9, 1, 4)[0]
    cosines = {int(k): cosine(query, v) for k, v in zip(index.keys, index.vectors, strict=True)}
    left_out = set(index.keys[:gone].tolist())
    joined = {key for key, x in cosines.items() if round(x, 9) >= index.graph.threshold}
    assert index.count_edges(query, left_out) == len(joined - left_out)
    assert index.count_edges(query, left_out) == index.search(query, 1, left_out).edges
