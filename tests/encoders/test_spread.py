"""Slices spread through a stack: which ones, told by eye and by properties."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoders.choice import choose_images
from encoders.header import ImageHeader
from encoders.spread import spread
from encoders.stack import middle, slices_of, stacks
from tests.encoders.objects import axial_series, header


def heights(headers: list[ImageHeader], at_most: int) -> list[float]:
    stack = stacks(one for head in headers for one in slices_of(head))[0]
    return [one.position[2] for one in spread(stack, at_most) if one.position]


@pytest.mark.parametrize(
    ("count", "at_most", "expected"),
    [
        (1, 2, [0]),
        (3, 3, [0, 1, 2]),
        (3, 100, [0, 1, 2]),
        (9, 3, [1, 4, 7]),  # the middle of each third
        (10, 3, [1, 4, 8]),  # the lower of the two in the middle, in place of 5
        (10, 1, [4]),
        (8, 2, [3, 6]),  # of halves 2 and 6; the middle slice in place of the nearer
        (600, 4, [75, 299, 375, 525]),  # of 225 and 375 the former is nearer,
    ],
)
def test_which_slices(count: int, at_most: int, expected: list[int]) -> None:
    series = axial_series([float(z) for z in range(count)])
    assert heights(series, at_most) == expected


@given(
    st.lists(st.integers(-500, 500), min_size=1, max_size=60, unique=True),
    st.integers(1, 70),
    st.randoms(use_true_random=False),
)
def test_the_middle_is_among_them_and_the_order_of_arrival_has_no_say(
    steps: list[int], at_most: int, random: Random
) -> None:
    series = axial_series([step * 0.7 for step in steps])
    stack = stacks(one for head in series for one in slices_of(head))[0]
    chosen = spread(stack, at_most)
    assert len(chosen) == min(at_most, len(steps))
    assert middle(stack) in chosen
    found = heights(series, at_most)
    assert found == sorted(set(found))
    random.shuffle(series)
    assert heights(series, at_most) == found


@pytest.mark.parametrize("at_most", [2, 3, 8])
def test_they_lie_no_further_apart_than_two_parts(at_most: int) -> None:
    found = heights(axial_series([float(z) for z in range(101)]), at_most)
    ends = [0.0, *found, 100.0]
    assert max(b - a for a, b in pairwise(ends)) <= 2 * 101 / at_most


def test_without_positions_they_go_by_instance_number() -> None:
    series = [
        header(f"1.{9 - number}", image_position=None, instance_number=number)
        for number in range(9)
    ]
    (chosen,) = choose_images(series, spread_over=3).chosen
    assert [one.header.instance_number for one in chosen.spread] == [1, 4, 7]
    assert chosen.rule == "no geometry: middle by InstanceNumber of 9 slices"


def test_of_mixed_orientations_only_the_largest_stack_is_spread() -> None:
    sagittal = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
    series = axial_series([0.0, 1.0, 2.0])
    series += [
        header(f"2.{x}", image_position=(float(x), 0.0, 0.0), image_orientation=sagittal)
        for x in range(2)
    ]
    (chosen,) = choose_images(series, spread_over=32).chosen
    assert [one.header.sop_instance_uid for one in chosen.spread] == ["1.0", "1.1", "1.2"]


def test_nothing_else_of_a_choice_depends_on_it() -> None:
    headers = [
        *axial_series([0.0, 1.0, 2.0]),
        header("9.1", modality="CR", series_instance_uid="9"),
    ]
    plain, wide = choose_images(headers), choose_images(headers, spread_over=2)
    assert plain.left_out == wide.left_out
    assert [(one.header, one.frame, one.rule) for one in plain.chosen] == [
        (one.header, one.frame, one.rule) for one in wide.chosen
    ]
    assert [len(one.spread) for one in plain.chosen] == [0, 0]
    assert [len(one.spread) for one in wide.chosen] == [0, 2]


def test_none_at_all_cannot_be_asked_for() -> None:
    stack = stacks(slices_of(axial_series([0.0])[0]))[0]
    with pytest.raises(ValueError, match="ask for one at least"):
        spread(stack, 0)
