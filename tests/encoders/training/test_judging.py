import math

import numpy as np
import pytest

from encoders.training.judging import JUDGES, RISING, auc, f1, first_hits, mae

SAID = np.array([[2.0, -1], [0.5, -3], [-1, 4], [-4, -2], [0.5, 0]], np.float32)
TOLD = np.array([[1, 0], [0, 0], [1, 1], [0, 0], [1, 1]], np.float32)
ALL = np.ones_like(TOLD, dtype=np.bool_)


def pairs(said: list[float], told: list[float]) -> float:
    """How often a positive stands above a negative; half where they are equal."""
    above = [
        1.0 if yes > no else 0.5 if yes == no else 0.0
        for yes, one in zip(said, told, strict=True)
        for no, other in zip(said, told, strict=True)
        if one and not other
    ]
    return sum(above) / len(above)


def test_auc_is_the_mean_over_labels_of_how_often_a_positive_stands_above_a_negative() -> None:
    each = [pairs(SAID[:, at].tolist(), TOLD[:, at].tolist()) for at in (0, 1)]
    assert each == [4.5 / 6, 1.0]
    assert auc(SAID, TOLD, ALL) == pytest.approx(np.mean(each))


def test_f1_by_hand() -> None:
    # label 0 says yes to 0, 1, 4: two right of three, one of three missed; label 1 only to 2,
    # for a logit of 0 is no yes
    assert f1(SAID, TOLD, ALL) == pytest.approx((2 * 2 / (3 + 3) + 2 * 1 / (1 + 2)) / 2)


def test_what_is_not_known_does_not_count() -> None:
    known = ALL.copy()
    known[1, 0] = False
    expected = (pairs([2, -1, -4, 0.5], [1, 1, 0, 1]) + 1) / 2
    assert auc(SAID, TOLD, known) == pytest.approx(expected)


@pytest.mark.parametrize("judge", [auc, f1])
def test_labels_of_one_kind_are_passed_over(judge: object) -> None:
    assert callable(judge)
    told = TOLD.copy()
    told[:, 1] = 0
    assert judge(SAID, told, ALL) == pytest.approx(judge(SAID[:, :1], TOLD[:, :1], ALL[:, :1]))
    assert math.isnan(judge(SAID, np.ones_like(TOLD), ALL))
    assert math.isnan(judge(SAID, TOLD, ~ALL))


def test_outputs_beside_the_labels_do_not_count() -> None:
    more = np.concatenate([SAID, -SAID], axis=1)  # as of a hash net: codes after the logits
    assert auc(more, TOLD, ALL) == auc(SAID, TOLD, ALL)


def test_mae_of_what_is_known() -> None:
    said, told = np.array([[3.0], [5], [9]], np.float32), np.array([[1.0], [5], [0]], np.float32)
    assert mae(said, told, np.array([[True], [True], [False]])) == 1
    assert math.isnan(mae(said, told, np.zeros((3, 1), np.bool_)))


def test_first_hits_by_hand() -> None:
    # by cosine, whatever the length: 0 and 1 are each other's nearest, 2's is 1, 3's is 2
    said = np.array([[1, 0], [9, 1], [1, 1], [-5, 9]], np.float32)
    told = np.eye(2, dtype=np.float32)[[0, 0, 1, 1]]
    known = np.ones_like(told, dtype=np.bool_)
    assert first_hits(said, told, known) == 3 / 4
    known[1] = False  # now 0's is 2, and 2's is 0
    assert first_hits(said, told, known) == 1 / 3


@pytest.mark.parametrize("count", [2, 50, 1500])
def test_first_hits_equal_loops(count: int) -> None:
    random = np.random.default_rng(count)
    said = random.standard_normal((count, 6)).astype(np.float32)
    classes = random.integers(0, 3, count)
    hits = 0
    for one, vector in enumerate(said.astype(np.float64)):
        cosines = said @ vector / np.linalg.norm(said.astype(np.float64), axis=1)
        cosines[one] = -np.inf
        hits += classes[cosines.argmax()] == classes[one]
    told = np.eye(3, dtype=np.float32)[classes]
    assert first_hits(said, told, np.ones_like(told, dtype=np.bool_)) == hits / count


@pytest.mark.parametrize("name", sorted(JUDGES))
@pytest.mark.parametrize("said", [np.nan, np.inf])
def test_outputs_that_are_no_numbers_are_never_good(name: str, said: float) -> None:
    outputs = SAID.copy()
    outputs[3] = said
    assert not math.isfinite(JUDGES[name](outputs, TOLD, ALL))


@pytest.mark.parametrize("count", [0, 1])
def test_a_nearest_image_needs_two(count: int) -> None:
    assert math.isnan(first_hits(SAID[:count], TOLD[:count], ALL[:count]))


def test_a_vector_of_no_length_is_like_none() -> None:
    said = np.array([[1.0, 0], [0, 0], [1, 0.1]], np.float32)
    told = np.eye(2, dtype=np.float32)[[0, 1, 0]]
    assert first_hits(said, told, np.ones_like(told, dtype=np.bool_)) == 2 / 3


def test_every_figure_has_its_direction() -> None:
    assert JUDGES.keys() <= RISING.keys()
    assert [name for name, rising in RISING.items() if not rising] == ["loss", "mae"]
