"""Jaccard scores of regions: by hand, and against scikit-learn."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import jaccard_score

from encoders.regions.crops import RegionError
from encoders.regions.jaccard import adjacency, similarity

BY_HAND = np.array(
    [
        # two findings in each of three regions
        [[1, 0], [1, 0], [0, 0]],
        [[1, 0], [1, 0], [0, 0]],
        [[1, 0], [0, 0], [0, 0]],
        [[0, 1], [0, 1], [0, 1]],
        [[0, 0], [0, 0], [0, 0]],
    ],
    bool,
)


def test_scores_by_hand() -> None:
    """First finding: 2 of 3 images shared by regions 0 and 1; second: its one image by all."""
    found = similarity(BY_HAND)
    assert found[0, 1] == pytest.approx((2 / 3 + 1) / 2)
    assert found[0, 2] == pytest.approx((0 + 1) / 2)
    assert found[0, 0] == pytest.approx(1)
    assert found[2, 2] == pytest.approx((0 + 1) / 2)  # the first finding was never in region 2
    np.testing.assert_array_equal(found, found.T)


def test_neighbours_are_above_the_threshold_or_oneself() -> None:
    assert adjacency(BY_HAND).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]  # 1/2 is not above
    assert adjacency(BY_HAND, 0.49).tolist() == [[1, 1, 1]] * 3
    assert adjacency(BY_HAND, 0.9).tolist() == np.eye(3, dtype=int).tolist()


@pytest.mark.parametrize("absent_too", [False, True])
def test_nothing_seen_is_nothing_shared(absent_too: bool) -> None:
    empty = np.zeros((4, 3, 2), bool)
    assert not similarity(empty, absent_too=absent_too).any()
    assert adjacency(empty, absent_too=absent_too).tolist() == np.eye(3, dtype=int).tolist()


def drawn(seed: int) -> NDArray[np.bool_]:
    lot = np.random.default_rng(seed)
    found = lot.random((40, 4, 3)) < lot.uniform(0.02, 0.6, (1, 4, 3))
    found[:10] = False
    return np.asarray(found)


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_scikit_learns(seed: int) -> None:
    findings = drawn(seed)
    found = similarity(findings)
    for one in range(4):
        for other in range(4):
            scores = [
                jaccard_score(findings[:, one, at], findings[:, other, at], zero_division=0)
                for at in range(3)
            ]
            assert found[one, other] == pytest.approx(np.mean(scores))


@pytest.mark.parametrize("seed", range(5))
def test_published_scores_are_scikit_learns_macro_average(seed: int) -> None:
    """As AnaXNet's code computes them, of images with any finding in either region."""
    findings = drawn(seed)
    found = similarity(findings, absent_too=True)
    for one in range(4):
        for other in range(4):
            either = findings[:, [one, other]].any(axis=(1, 2))
            scores = [
                jaccard_score(
                    findings[either, one, at],
                    findings[either, other, at],
                    average="macro",
                    zero_division=0,
                )
                for at in range(3)
            ]
            assert found[one, other] == pytest.approx(np.mean(scores))


@pytest.mark.parametrize("shape", [(0, 3, 2), (4, 3, 0), (4, 3)])
def test_what_are_no_findings(shape: tuple[int, ...]) -> None:
    with pytest.raises(RegionError, match=r"findings have shape \(images, regions, findings\)"):
        similarity(np.zeros(shape, bool))
