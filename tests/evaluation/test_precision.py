"""Label precision against cases worked out by hand and against a plain loop."""

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluation.precision import chance_level, hits_at, precision_at

# angles on a circle: the nearer in degrees, the more alike
ANGLES = [0, 10, 25, 90]


def on_circle(degrees: list[int]) -> NDArray[np.float64]:
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


@pytest.mark.parametrize(
    ("groups", "k", "expected"),
    [
        # neighbours of 0, 10, 25, 90 are 10, 0, 10, 25 with labels a a b b
        ("1234", 1, [1, 1, 0, 1]),
        ("1234", 2, [0.5, 0.5, 0, 0.5]),
        ("1234", 3, [1 / 3, 1 / 3, 1 / 3, 1 / 3]),
        # 0 and 10 are one patient: they find 25, and 25 finds 10
        ("1123", 1, [0, 0, 0, 1]),
        # a patient with two others only: divided by those there are
        ("1123", 3, [0, 0, 1 / 3, 1 / 3]),
    ],
)
def test_by_hand(groups: str, k: int, expected: list[float]) -> None:
    hits = hits_at(on_circle(ANGLES), "aabb", groups, k)
    np.testing.assert_allclose(hits, expected)
    assert precision_at(on_circle(ANGLES), "aabb", groups, k) == pytest.approx(np.mean(expected))


def test_of_two_equally_alike_the_earlier_wins() -> None:
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    np.testing.assert_array_equal(hits_at(vectors, "bab", "123"), [0, 0, 1])


def by_loop(vectors: NDArray[np.float64], labels: str, groups: str, k: int) -> float:
    shares = []
    for i, asking in enumerate(vectors):
        others = [j for j in range(len(vectors)) if groups[j] != groups[i]]
        nearest = sorted(others, key=lambda j: (-(asking @ vectors[j]), j))[:k]
        shares.append(sum(labels[j] == labels[i] for j in nearest) / len(nearest))
    return sum(shares) / len(shares)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("k", [1, 3, 50])
def test_equals_a_plain_loop(seed: int, k: int) -> None:
    random = np.random.default_rng(seed)
    # whole numbers make ties and keep sums exact in any order
    vectors = random.integers(-2, 3, (40, 3)).astype(np.float64)
    labels = "".join(random.choice(list("abc"), 40))
    groups = "".join(random.choice(list("123456789"), 40))
    expected = by_loop(vectors, labels, groups, k)
    assert precision_at(vectors, labels, groups, k) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("labels", "groups", "expected"),
    [
        ("aabb", "1234", 1 / 3),
        # with 0 and 1 one patient, a finds no a; each b finds one b among three
        ("aabb", "1123", (0 + 0 + 1 / 3 + 1 / 3) / 4),
        ("aaaa", "1234", 1),
    ],
)
def test_chance_by_hand(labels: str, groups: str, expected: float) -> None:
    assert chance_level(labels, groups) == pytest.approx(expected)


def test_chance_is_what_random_vectors_reach() -> None:
    random = np.random.default_rng(0)
    labels, groups = "aaabbc" * 5, "".join(random.choice(list("1234567"), 30))
    reached = [precision_at(random.standard_normal((30, 20)), labels, groups) for _ in range(300)]
    # one standard error of the mean of 300 draws is about 0.005
    assert np.mean(reached) == pytest.approx(chance_level(labels, groups), abs=0.025)


@pytest.mark.parametrize(
    ("vectors", "labels", "groups", "k", "reason"),
    [
        (np.ones((2, 2)), "ab", "12", 0, "k is 0"),
        (np.ones((2, 2)), "abc", "12", 1, "3 labels"),
        (np.ones((2, 2)), "ab", "1", 1, "1 groups"),
        (np.ones((2, 2)), "ab", "11", 1, "at least two groups"),
        (np.ones(2), "ab", "12", 1, "shape"),
        (np.array([[1.0], [np.nan]]), "ab", "12", 1, "NaN"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    vectors: NDArray[np.float64], labels: str, groups: str, k: int, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        precision_at(vectors, labels, groups, k)
