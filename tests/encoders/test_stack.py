"""The middle slice by geometry: the answers are read off the positions by eye."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoders.frame_header import FrameHeader
from encoders.stack import ORIENTATIONS_MAX, Stack, middle, normal, slices_of, stacks
from tests.encoders.objects import AXIAL, axial_series, header

SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
TURNED = (0.0, 1.0, 0.0, -1.0, 0.0, 0.0)  # transverse, turned by 90 degrees in its plane
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


def tilted(degrees: float) -> tuple[float, ...]:
    """Axial, tilted about the left-right axis: rows still run to the patient's left."""
    angle = math.radians(degrees)
    return (1.0, 0.0, 0.0, 0.0, math.cos(angle), math.sin(angle))


def stack_of(places: list[tuple[float, ...]], orientation: tuple[float, ...] = AXIAL) -> Stack:
    headers = [
        header(f"1.{i}", image_position=place, image_orientation=orientation)
        for i, place in enumerate(places)
    ]
    (found,) = stacks(one for head in headers for one in slices_of(head))
    return found


def test_gantry_tilt_projects_on_the_tilted_normal() -> None:
    # tilted by 30 degrees; the table moves 5 mm a slice along z, so x and y stay: the slices are
    # 5 cos 30 = 4.330 mm apart
    found = stack_of([(-125.0, -125.0, z) for z in (0.0, 5.0, 10.0, 15.0, 20.0)], tilted(30))
    gaps = np.diff(found.positions)
    assert gaps == pytest.approx([4.330127] * 4)
    assert middle(found).position == (-125.0, -125.0, 10.0)


def test_tilted_slices_at_one_height_are_apart() -> None:
    # first pixels all at z 0, 5 mm apart in y: 5 sin 30 = 2.5 mm along the normal (0, -0.5, 0.866)
    found = stack_of([(0.0, y, 0.0) for y in (10.0, 0.0, 5.0)], tilted(30))
    assert found.positions == pytest.approx((-5.0, -2.5, 0.0))
    assert middle(found).position == (0.0, 5.0, 0.0)


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        # two slabs, 0 to 4 and 20 to 24 mm: 12 is the middle, 4 and 20 are equally near, 4 lower
        ([0.0, 2.0, 4.0, 20.0, 22.0, 24.0], 4.0),
        ([0.0, 2.0, 4.0, 19.0, 22.0, 24.0], 19.0),  # 7 mm from the middle, and 4 is 8 mm
        # one slice far away: the middle is 50, 3 is 47 mm from it, 100 is 50 mm
        ([0.0, 1.0, 2.0, 3.0, 100.0], 3.0),
        # thick below, thin above: extent 0 to 16, not the third of seven
        ([0.0, 5.0, 10.0, 13.0, 14.0, 15.0, 16.0], 10.0),
        # a slice is missing in the middle: 6 and 12 are equally near to 9
        ([0.0, 3.0, 6.0, 12.0, 15.0, 18.0], 6.0),
    ],
)
def test_gaps(positions: list[float], expected: float) -> None:
    assert middle_z(positions) == expected
    assert middle_z(positions[::-1], FLIPPED) == expected


def test_nearer_than_a_hundredth_of_a_millimetre_is_one_place() -> None:
    found = stack_of([(0.0, 0.0, z) for z in (0.0, 3.0, 3.005, 6.0)])
    assert found.positions == (0.0, 3.0, 6.0)


def test_phases_at_each_position() -> None:
    # 3 positions, each at 0 and 400 ms after the R wave; UIDs and instance numbers run backwards
    headers = [
        header(f"1.{9 - i}", image_position=(0.0, 0.0, z), trigger_time=time, instance_number=9 - i)
        for i, (z, time) in enumerate((z, t) for t in (0.0, 400.0) for z in (0.0, 8.0, 16.0))
    ]
    (found,) = stacks(one for head in headers for one in slices_of(head))
    assert found.images == 6
    assert found.positions == (0.0, 8.0, 16.0)
    assert [one.header.trigger_time for one in found.slices] == [0.0, 0.0, 0.0]
    assert middle(found).header.sop_instance_uid == "1.8"


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


@pytest.mark.parametrize(
    ("orientations", "expected"),
    [
        ([CORONAL, SAGITTAL, AXIAL], "1.2"),  # transverse, sagittal, coronal
        ([CORONAL, SAGITTAL], "1.1"),
        ([TURNED, AXIAL], "1.0"),  # two transverse ones: the lowest UID
    ],
)
def test_stacks_of_one_size(orientations: list[tuple[float, ...]], expected: str) -> None:
    headers = [header(f"1.{i}", image_orientation=one) for i, one in enumerate(orientations)]
    found = stacks(one for head in headers for one in slices_of(head))
    assert found[0].slices[0].header.sop_instance_uid == expected


def test_without_geometry_comes_after_one_of_equal_size() -> None:
    headers = [header("1.1", image_orientation=None), header("1.2", image_orientation=CORONAL)]
    found = stacks(one for head in headers for one in slices_of(head))
    assert [bool(stack.positions) for stack in found] == [True, False]


def test_slightly_different_orientations_are_one_stack() -> None:
    # cosines as rounded by different writers, and a drift of half a degree
    angle = math.radians(0.5)
    written = [AXIAL, (1.0, 1e-6, 0.0, -1e-6, 1.0, 0.0)]
    written.append((math.cos(angle), math.sin(angle), 0.0, -math.sin(angle), math.cos(angle), 0.0))
    headers = [
        header(f"1.{i}", image_orientation=one, image_position=(0.0, 0.0, float(i)))
        for i, one in enumerate(written)
    ]
    assert len(stacks(one for head in headers for one in slices_of(head))) == 1


@pytest.mark.timeout(60)  # seconds; the scan that this replaced would take hours
def test_a_hundred_thousand_orientations() -> None:
    # any direction: two random vectors, the second made orthogonal to the first
    rows, columns = np.random.default_rng(3).normal(size=(2, 99_995, 3))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    columns -= rows * np.sum(rows * columns, axis=1, keepdims=True)
    columns /= np.linalg.norm(columns, axis=1, keepdims=True)
    frames = [
        FrameHeader((0.0, 0.0, 0.0), tuple(cosines))
        for cosines in np.hstack((rows, columns)).tolist()
    ]
    frames += [FrameHeader((float(i), 0.0, 0.0), SAGITTAL) for i in range(5)]
    found = stacks(slices_of(header(number_of_frames=100_000, frames=tuple(frames))))
    assert len(found) <= ORIENTATIONS_MAX + 1
    assert sum(stack.images for stack in found) == 100_000
    assert any(len(stack.slices) == 5 for stack in found)


@pytest.mark.parametrize("place", [(0.0, 0.0, 2e6), (-1e308, 1e308, 0.0)])
def test_a_place_beyond_a_kilometre_is_none(place: tuple[float, ...]) -> None:
    headers = [header("1.1", image_position=place), *axial_series([0.0, 3.0, 6.0])]
    found = stacks(one for head in headers for one in slices_of(head))
    assert [len(stack.positions) for stack in found] == [3, 0]


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
