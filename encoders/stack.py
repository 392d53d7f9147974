"""The middle slice of a series by geometry, whatever the instance numbers say."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from encoders.header import FrameHeader, ImageHeader, Vector

POSITION_TOLERANCE_MM = 0.01
"""Positions nearer than this are one; also the tolerance within which two are equally central."""

ORIENTATION_TOLERANCE = 0.02
"""Euclidean distance between six direction cosines below which two slices share a stack."""

_COSINE_TOLERANCE = 0.05  # how far a row or column vector may be from unit length


@dataclass(frozen=True)
class Slice:
    """A single-frame instance (``frame`` None) or one frame (from 0) of a multi-frame one."""

    header: ImageHeader
    frame: int | None
    position: Vector | None
    orientation: Vector | None
    order: tuple[float, int, int, str, int]


@dataclass(frozen=True)
class Stack:
    """Slices of one orientation, one per position; ``positions`` in mm along the normal.

    Without geometry ``positions`` is empty and the slices stand by InstanceNumber.
    """

    slices: tuple[Slice, ...]
    positions: tuple[float, ...]


def slices_of(header: ImageHeader) -> list[Slice]:
    """A header's slices: one, or one per frame, placed by its functional groups if it has any."""
    if header.number_of_frames == 1:
        own = header.frames[0] if header.frames else FrameHeader()
        return [_slice(header, None, own)]
    padding = [FrameHeader()] * (header.number_of_frames - len(header.frames))
    frames = [*header.frames, *padding][: header.number_of_frames]
    return [_slice(header, index, frame) for index, frame in enumerate(frames)]


def stacks(slices: Iterable[Slice]) -> list[Stack]:
    """Slices parted by orientation, the largest stack first.

    Size is the number of different positions; slices without usable geometry form a stack of
    their own, which comes after one of equal size; further ties go to the lowest SOP Instance
    UID. Of several slices at one position the first by b-value, echo, temporal position, SOP
    Instance UID and frame stands for all.
    """
    placed, unplaced = _by_orientation(sorted(slices, key=lambda one: one.order))
    found = [_placed_stack(group) for group in placed]
    if unplaced:
        found.append(Stack(tuple(sorted(unplaced, key=_instance_order)), ()))
    return sorted(found, key=lambda stack: (-len(stack.slices), not stack.positions, _uid(stack)))


def middle(stack: Stack) -> Slice:
    """The slice nearest the middle of the stack's extent.

    Of two equally near (an even number of evenly spaced slices) it is the one lower along the
    normal, whose largest component points to the patient's left, back or head; so the answer
    does not depend on the order or direction of scanning. Without geometry it is the
    ``(n - 1) // 2``-th by InstanceNumber.
    """
    if not stack.positions:
        return stack.slices[(len(stack.slices) - 1) // 2]
    centre = (stack.positions[0] + stack.positions[-1]) / 2
    distances = [abs(position - centre) for position in stack.positions]
    nearest = min(distances) + POSITION_TOLERANCE_MM
    return next(one for one, away in zip(stack.slices, distances, strict=True) if away <= nearest)


def normal(orientation: Vector) -> Vector | None:
    """Unit normal of a slice plane, row x column (PS3.3 C.7.6.2.1.1), turned to one side.

    The sign is chosen so that the largest component is positive: a stack has one normal whichever
    way its rows and columns run. None where the six cosines span no plane.
    """
    row, column = orientation[:3], orientation[3:]
    if any(abs(math.hypot(*axis) - 1) > _COSINE_TOLERANCE for axis in (row, column)):
        return None
    cross = (
        row[1] * column[2] - row[2] * column[1],
        row[2] * column[0] - row[0] * column[2],
        row[0] * column[1] - row[1] * column[0],
    )
    length = math.hypot(*cross)
    if length < 0.9:  # row and column are meant to be orthogonal
        return None
    # rounded, so that float noise cannot decide between two equally large components
    largest = max(cross, key=lambda part: round(abs(part), 6))
    return tuple(part / math.copysign(length, largest) for part in cross)


def _slice(header: ImageHeader, index: int | None, frame: FrameHeader) -> Slice:
    b_value = header.b_value if frame.b_value is None else frame.b_value
    temporal = frame.temporal_position or header.temporal_position
    order = (
        -1.0 if b_value is None else b_value,
        -1 if header.echo_number is None else header.echo_number,
        -1 if temporal is None else temporal,
        header.sop_instance_uid,
        index or 0,
    )
    position = frame.position or header.image_position
    return Slice(header, index, position, frame.orientation or header.image_orientation, order)


def _by_orientation(slices: Sequence[Slice]) -> tuple[list[list[Slice]], list[Slice]]:
    placed: list[tuple[Vector, list[Slice]]] = []
    unplaced = []
    for one in slices:
        if one.position is None or one.orientation is None or normal(one.orientation) is None:
            unplaced.append(one)
            continue
        near = (
            group
            for cosines, group in placed
            if math.dist(cosines, one.orientation) <= ORIENTATION_TOLERANCE
        )
        group = next(near, None)
        if group is None:
            placed.append((one.orientation, [one]))
        else:
            group.append(one)
    return [group for _, group in placed], unplaced


def _placed_stack(group: Sequence[Slice]) -> Stack:
    axis = normal(group[0].orientation or ())
    along = sorted(((_projection(one, axis), one) for one in group), key=lambda pair: pair[0])
    # every slice within the tolerance of its neighbour belongs to the same position
    kept: list[tuple[float, Slice]] = []
    last = -math.inf
    for position, one in along:
        if position - last > POSITION_TOLERANCE_MM:
            kept.append((position, one))
        elif one.order < kept[-1][1].order:
            kept[-1] = (kept[-1][0], one)
        last = position
    return Stack(tuple(one for _, one in kept), tuple(position for position, _ in kept))


def _projection(one: Slice, axis: Vector | None) -> float:
    return sum(a * b for a, b in zip(one.position or (), axis or (), strict=True))


def _instance_order(one: Slice) -> tuple[bool, int, str, int]:
    number = one.header.instance_number
    return number is None, number or 0, one.header.sop_instance_uid, one.order[-1]


def _uid(stack: Stack) -> str:
    return min(one.header.sop_instance_uid for one in stack.slices)
