"""The middle slice by geometry: the answers are read off the positions by eye."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoders.header import FrameHeader
from encoders.stack import middle, normal, slices_of, stacks
from tests.encoders.objects import AXIAL, axial_series, header

SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
FLIPPED = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)  # same planes, normal the other way


def middle_z(positions: list[float], orientation: tuple[float, ...] = AXIAL) -> float:
    headers = [
        header(f"1.{i}", image_position=(0.0, 0.0, z), image_orientation=orientation)
        for i, z in enumerate(positions)
    ]
    found = middle(stacks(one for head in headers for one in slices_of(head))[0])
    assert found.position is not None
    return found.position[2]


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        ([7.0], 7.0),
        ([0.0, 3.0, 6.0], 3.0),
        ([6.0, 0.0, 3.0], 3.0),
        ([0.0, 3.0, 6.0, 9.0], 3.0),  # even: the lower along the normal
        ([9.0, 6.0, 3.0, 0.0], 3.0),
        ([0.0, 0.0, 0.0, 3.0, 6.0], 3.0),  # duplicates count once
        ([0.0, 1.0, 2.0, 10.0], 2.0),  # a gap: the nearest to the middle of the extent, 5
        ([-0.3, 0.0, 0.3], 0.0),
    ],
)
def test_middle_by_position(positions: list[float], expected: float) -> None:
    assert middle_z(positions) == expected
    assert middle_z(positions, FLIPPED) == expected


@given(
    st.lists(st.integers(-500, 500), min_size=1, max_size=30, unique=True),
    st.integers(-1000, 1000),
    st.randoms(use_true_random=False),
)
def test_middle_moves_with_the_patient_and_not_with_the_order(
    steps: list[int], shift: int, random: Random
) -> None:
    positions = [step * 0.7 for step in steps]
    expected = middle_z(positions)
    random.shuffle(positions)
    assert middle_z(positions) == expected
    moved = middle_z([position + shift * 0.7 for position in positions])
    assert moved - shift * 0.7 == pytest.approx(expected, abs=1e-6)


def test_gantry_tilt_projects_on_the_tilted_normal() -> None:
    # tilted by 30 degrees; the table moves along z, so y and x stay
    angle = math.radians(30)
    tilted = (1.0, 0.0, 0.0, 0.0, math.cos(angle), math.sin(angle))
    assert middle_z([0.0, 5.0, 10.0], tilted) == 5.0


def test_normals_turn_to_one_side() -> None:
    assert normal(AXIAL) == normal(FLIPPED) == (0.0, 0.0, 1.0)
    assert normal(SAGITTAL) == pytest.approx((1.0, 0.0, 0.0))


@pytest.mark.parametrize(
    "cosines", [(0.0,) * 6, (1.0, 0.0, 0.0, 1.0, 0.0, 0.0), (9.0, 0.0, 0.0, 0.0, 9.0, 0.0)]
)
def test_cosines_that_span_no_plane_have_no_normal(cosines: tuple[float, ...]) -> None:
    assert normal(cosines) is None


def test_the_largest_of_several_orientations() -> None:
    headers = axial_series([0.0, 3.0]) + [
        header(f"2.{i}", image_position=(float(i), 0.0, 0.0), image_orientation=SAGITTAL)
        for i in range(5)
    ]
    found = stacks(one for head in headers for one in slices_of(head))
    assert [len(stack.slices) for stack in found] == [5, 2]
    assert middle(found[0]).header.sop_instance_uid == "2.2"


def test_stacks_of_one_size_part_by_uid() -> None:
    headers = [
        header("1.9", image_orientation=SAGITTAL),
        header("1.5"),
    ]
    found = stacks(one for head in headers for one in slices_of(head))
    assert found[0].slices[0].header.sop_instance_uid == "1.5"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([{"b_value": 1000.0}, {"b_value": 0.0}], "1.1"),
        ([{"echo_number": 2}, {"echo_number": 1}], "1.1"),
        ([{"temporal_position": 1}, {"temporal_position": 2}], "1.0"),
        ([{}, {}], "1.0"),
    ],
)
def test_one_slice_stands_for_several_at_one_position(
    fields: list[dict[str, float]], expected: str
) -> None:
    headers = [header(f"1.{i}", **more) for i, more in enumerate(fields)]
    found = stacks(one for head in reversed(headers) for one in slices_of(head))
    assert [one.header.sop_instance_uid for one in found[0].slices] == [expected]


def test_without_geometry_instance_numbers_decide() -> None:
    headers = [
        header(f"1.{i}", image_position=None, instance_number=number)
        for i, number in enumerate([30, 10, 40, 20])
    ]
    found = stacks(one for head in headers for one in slices_of(head))
    assert middle(found[0]).header.instance_number == 20


def test_frames_without_a_place_of_their_own_are_still_frames() -> None:
    placed = FrameHeader((0.0, 0.0, 1.0), AXIAL)
    found = slices_of(header(number_of_frames=3, frames=(placed,), image_position=None))
    assert [one.frame for one in found] == [0, 1, 2]
    assert [one.position for one in found] == [(0.0, 0.0, 1.0), None, None]
