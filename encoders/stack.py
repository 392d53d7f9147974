"""The middle slice of a series by geometry, whatever the instance numbers say."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from encoders.frame_header import FrameHeader
from encoders.header import ImageHeader
from encoders.precedence import Precedence, precedence
from encoders.tolerant import Vector

POSITION_TOLERANCE_MM = 0.01
"""Positions nearer than this are one; also the tolerance within which two are equally central."""

POSITION_MAX_MM = 1e6
"""A coordinate beyond a kilometre is a fault of the file, not a place in a patient."""

ORIENTATION_TOLERANCE = 0.02
"""Euclidean distance between six direction cosines below which two slices share a stack."""

ORIENTATIONS_MAX = 64
"""Stacks with geometry that one series may have; what is left over counts as without geometry."""

_COSINE_TOLERANCE = 0.05  # how far a row or column vector may be from unit length
_COSINE_DECIMALS = 3  # slices whose cosines agree to these are compared as one


@dataclass(frozen=True)
class Slice:
    """A single-frame instance (``frame`` None) or one frame (from 0) of a multi-frame one.

    ``image_type`` is the frame's FrameType where it has one, else the instance's ImageType.
    """

    header: ImageHeader
    frame: int | None
    position: Vector | None
    orientation: Vector | None
    image_type: tuple[str, ...]
    order: Precedence


@dataclass(frozen=True)
class Stack:
    """Slices of one orientation, one per position.

    Attributes:
        slices: along the normal; without geometry, by InstanceNumber.
        positions: of the slices, in mm along the normal; empty without geometry.
        images: how many there were before those at one position became one slice.
    """

    slices: tuple[Slice, ...]
    positions: tuple[float, ...]
    images: int


def slices_of(header: ImageHeader) -> list[Slice]:
    """A header's slices: one, or one per frame, placed by its functional groups if it has any.

    A frame without an orientation or FrameType of its own has its instance's. A position at the
    root is a single image's: frames of a multi-frame instance cannot all lie there, so without
    their own they have none. Functional groups beyond NumberOfFrames are no frames.
    """
    if header.number_of_frames == 1:
        own = header.frames[0] if header.frames else FrameHeader()
        return [_slice(header, None, own)]
    padding = [FrameHeader()] * (header.number_of_frames - len(header.frames))
    frames = [*header.frames, *padding][: header.number_of_frames]
    return [_slice(header, index, frame) for index, frame in enumerate(frames)]


def stacks(slices: Iterable[Slice]) -> list[Stack]:
    """Slices parted by orientation, the largest stack first.

    Size is the number of different positions. Of equal stacks a transverse one comes first, then
    sagittal, then coronal (by the normal's largest component), so that two studies of one
    protocol give the same plane; then the one with the lowest SOP Instance UID and frame. Of
    several slices at one position the first by ``precedence`` stands for all. Slices without
    usable geometry (position or orientation absent or damaged, cosines that span no plane, a
    coordinate beyond ``POSITION_MAX_MM``) form a stack of their own, which comes after those of
    equal size. Stack ID, slice thickness and spacing have no say: geometry decides.

    Time grows with the number of slices, whatever their orientations: the most frequent ones
    make stacks, at most ``ORIENTATIONS_MAX``, and slices that fit none of these join those
    without geometry.
    """
    placed, unplaced = _by_orientation(sorted(slices, key=lambda one: one.order))
    found = [_placed_stack(group) for group in placed]
    if unplaced:
        in_order = tuple(sorted(unplaced, key=_instance_order))
        found.append(Stack(in_order, (), len(in_order)))
    return sorted(found, key=_stack_order)


def middle(stack: Stack) -> Slice:
    """The slice nearest the middle of the stack's extent.

    The middle is that of the first and last position, so a gap or uneven spacing moves it as
    little as possible, and duplicates not at all. With gantry tilt (0018,1120, PS3.3 C.8.2.1)
    each slice is shifted within its own plane against the last; along the normal, where positions
    are measured, that shift is zero. Of two equally near (an even number of evenly spaced slices)
    it is the one lower along the normal, whose largest component points to the patient's left,
    back or head; so the answer does not depend on the order or direction of scanning. Without
    geometry it is the ``(n - 1) // 2``-th by InstanceNumber. A one-slice stack has that slice.
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
    return Slice(
        header=header,
        frame=index,
        position=frame.position or (header.image_position if index is None else None),
        orientation=frame.orientation or header.image_orientation,
        image_type=frame.image_type or header.image_type,
        order=precedence(header, index, frame),
    )


def _by_orientation(slices: Sequence[Slice]) -> tuple[list[list[Slice]], list[Slice]]:
    alike: defaultdict[Vector | None, list[Slice]] = defaultdict(list)
    for one in slices:
        alike[_cosines(one)].append(one)
    unplaced = alike.pop(None, [])
    placed: list[tuple[Vector, list[Slice]]] = []
    # the most frequent first: a few stray orientations cannot take the places of a stack's
    for group in sorted(alike.values(), key=lambda group: (-len(group), group[0].order)):
        cosines = group[0].orientation or ()
        near = (found for other, found in placed if _near(other, cosines))
        if normal(cosines) is None:
            unplaced.extend(group)
        elif (found := next(near, None)) is not None:
            found.extend(group)
        elif len(placed) < ORIENTATIONS_MAX:
            placed.append((cosines, group))
        else:
            unplaced.extend(group)
    return [group for _, group in placed], unplaced


def _cosines(one: Slice) -> Vector | None:
    if one.position is None or one.orientation is None:
        return None
    if max(map(abs, one.position)) > POSITION_MAX_MM:
        return None
    return tuple(round(cosine, _COSINE_DECIMALS) for cosine in one.orientation)


def _near(one: Vector, other: Vector) -> bool:
    return math.dist(one, other) <= ORIENTATION_TOLERANCE


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
    places = tuple(position for position, _ in kept)
    return Stack(tuple(one for _, one in kept), places, len(group))


def _projection(one: Slice, axis: Vector | None) -> float:
    return sum(a * b for a, b in zip(one.position or (), axis or (), strict=True))


def _instance_order(one: Slice) -> tuple[bool, int, str, int]:
    number = one.header.instance_number
    return number is None, number or 0, one.header.sop_instance_uid, one.frame or 0


def _stack_order(stack: Stack) -> tuple[int, bool, int, tuple[str, int]]:
    lowest = min((one.header.sop_instance_uid, one.frame or 0) for one in stack.slices)
    return -len(stack.slices), not stack.positions, _plane(stack), lowest


def _plane(stack: Stack) -> int:
    """0 for transverse, 1 for sagittal, 2 for coronal and for no plane at all."""
    axis = normal(stack.slices[0].orientation or (0.0,) * 6) or (0.0, 1.0, 0.0)
    x, y, z = (round(abs(part), 6) for part in axis)
    if z >= max(x, y):
        return 0
    return 1 if x >= y else 2
