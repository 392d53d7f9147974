"""What holds for every series: order, place, direction and encoding do not change the choice."""

import math
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset

from encoders.choice import Choice, choose_images
from encoders.grayscale import read_image
from encoders.header import ImageHeader
from encoders.stack import slices_of, stacks
from tests.encoders.objects import Groups, enhanced_object, header, image_object, read_back

Point = tuple[float, ...]

hundred = settings(max_examples=100, deadline=None)


@dataclass(frozen=True)
class Series:
    """Parallel slices, oblique as can be: ``steps`` times ``spacing`` mm along the normal.

    ``shifts`` move each slice within its own plane, as gantry tilt does; steps may come twice.
    """

    row: NDArray[np.float64]
    column: NDArray[np.float64]
    spacing: float
    steps: tuple[int, ...]
    shifts: tuple[tuple[float, float], ...]

    @property
    def orientation(self) -> Point:
        return (*self.row.tolist(), *self.column.tolist())

    @property
    def places(self) -> list[Point]:
        normal = np.cross(self.row, self.column)
        return [
            tuple((normal * step * self.spacing + right * self.row + down * self.column).tolist())
            for step, (right, down) in zip(self.steps, self.shifts, strict=True)
        ]

    def headers(self) -> list[ImageHeader]:
        return [
            header(
                f"1.{index + 1:03}",
                image_position=place,
                image_orientation=self.orientation,
                instance_number=index + 1,
            )
            for index, place in enumerate(self.places)
        ]

    def middle_step(self) -> int:
        """By brute force: of the steps nearest the middle, the one lower along the normal."""
        normal = np.cross(self.row, self.column)
        up = 1 if normal[np.argmax(np.abs(normal))] > 0 else -1
        doubled = min(self.steps) + max(self.steps)
        return min(self.steps, key=lambda step: (abs(2 * step - doubled), up * step))


@st.composite
def rotations(draw: st.DrawFn) -> NDArray[np.float64]:
    """Any rotation, from a quaternion, but none that leaves the normal's largest axis open."""
    w, x, y, z = draw(st.tuples(*[st.integers(-20, 20)] * 4).filter(any))
    length = math.hypot(w, x, y, z)
    w, x, y, z = (part / length for part in (w, x, y, z))
    turned = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    _, second, first = np.sort(np.abs(np.cross(turned[0], turned[1])))
    assume(first - second > 1e-4)
    return turned


@st.composite
def series(draw: st.DrawFn) -> Series:
    turned = draw(rotations())
    steps = draw(st.lists(st.integers(-60, 60), min_size=1, max_size=12))
    shift = st.tuples(st.floats(-50, 50), st.floats(-50, 50))
    return Series(
        row=turned[0],
        column=turned[1],
        spacing=draw(st.sampled_from([0.5, 0.625, 1.0, 3.0, 5.0])),
        steps=tuple(steps),
        shifts=tuple(draw(st.lists(shift, min_size=len(steps), max_size=len(steps)))),
    )


def chosen(headers: list[ImageHeader]) -> str:
    (image,) = choose_images(headers).chosen
    return image.header.sop_instance_uid


def step_of(one: Series, uid_chosen: str) -> int:
    return one.steps[int(uid_chosen.partition(".")[2]) - 1]


@given(series())
@hundred
def test_the_choice_is_the_slice_nearest_the_middle(one: Series) -> None:
    assert step_of(one, chosen(one.headers())) == one.middle_step()


@given(series(), st.randoms(use_true_random=False))
@hundred
def test_arrival_and_instance_numbers_do_not_matter(one: Series, random: Random) -> None:
    headers = one.headers()
    numbers = [*range(len(headers))]
    random.shuffle(numbers)
    lying = [replace(one, instance_number=n) for one, n in zip(headers, numbers, strict=True)]
    random.shuffle(lying)
    assert chosen(lying) == chosen(headers)


@given(series(), st.randoms(use_true_random=False))
@hundred
def test_arrival_does_not_change_the_order_of_slices(one: Series, random: Random) -> None:
    headers = one.headers()
    random.shuffle(headers)
    (stack,) = stacks(found for head in headers for found in slices_of(head))
    steps = [step_of(one, found.header.sop_instance_uid) for found in stack.slices]
    assert sorted(steps) in (steps, steps[::-1])
    assert set(steps) == set(one.steps)


@given(series(), st.tuples(*[st.floats(-2000, 2000)] * 3))
@hundred
def test_the_middle_moves_with_the_patient(one: Series, shift: Point) -> None:
    moved = [
        replace(
            head,
            image_position=tuple(
                a + b for a, b in zip(head.image_position or (), shift, strict=True)
            ),
        )
        for head in one.headers()
    ]
    assert chosen(moved) == chosen(one.headers())


@given(series())
@hundred
def test_the_direction_of_scanning_does_not_matter(one: Series) -> None:
    scanned_back = replace(one, steps=one.steps[::-1], shifts=one.shifts[::-1])
    expected = step_of(one, chosen(one.headers()))
    assert step_of(scanned_back, chosen(scanned_back.headers())) == expected


@given(series(), st.floats(0, 500))
@hundred
def test_the_direction_of_rows_and_columns_does_not_matter(one: Series, size: float) -> None:
    # columns run the other way: the normal turns over, and the first pixel is at the other end
    flipped = [
        replace(
            head,
            image_position=tuple(np.add(head.image_position or (), one.column * size).tolist()),
            image_orientation=(*one.row.tolist(), *(-one.column).tolist()),
        )
        for head in one.headers()
    ]
    assert chosen(flipped) == chosen(one.headers())


@given(series(), st.data())
@hundred
def test_duplicates_do_not_matter(one: Series, data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(range(len(one.steps))), max_size=12))
    headers = one.headers()
    # sent again under new UIDs, later in order
    copies = [replace(headers[i], sop_instance_uid=f"2.{n}") for n, i in enumerate(again)]
    assert chosen(headers + copies) == chosen(headers)
    assert chosen(headers + headers) == chosen(headers)


COORDINATE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(*[COORDINATE] * 9), min_size=1, max_size=8))
@hundred
def test_any_numbers_end_in_a_choice(hostile: list[Point]) -> None:
    headers = [
        header(f"1.{i}", image_position=place[:3], image_orientation=place[3:])
        for i, place in enumerate(hostile)
    ]
    found = choose_images(headers)
    assert len(found.chosen) + len(found.left_out) == len(headers)


FRAME_TYPES = [
    ["ORIGINAL", "PRIMARY", "M", "NONE"],
    ["ORIGINAL", "PRIMARY", "P", "NONE"],
    ["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"],
    ["DERIVED", "PRIMARY", "M", "NONE"],
    ["DERIVED", "PRIMARY", "M", "MEAN"],
]

# For each macro: its sequence, and (attribute of the enhanced frame, of the classic image, values)
MACROS: dict[str, list[tuple[str, str, list[Any]]]] = {
    "PlanePositionSequence": [
        (
            "ImagePositionPatient",
            "ImagePositionPatient",
            [["-1.5", "2", f"{z}"] for z in (0, 2.5, 5, 7.5)],
        )
    ],
    "PlaneOrientationSequence": [
        (
            "ImageOrientationPatient",
            "ImageOrientationPatient",
            [["1", "0", "0", "0", "0.8", "0.6"], ["0", "1", "0", "0", "0", "-1"]],
        )
    ],
    "FrameContentSequence": [
        ("TemporalPositionIndex", "TemporalPositionIdentifier", [1, 2]),
        ("FrameAcquisitionNumber", "AcquisitionNumber", [1, 2]),
    ],
    "MRImageFrameTypeSequence": [
        ("FrameType", "ImageType", FRAME_TYPES),
        ("ComplexImageComponent", "ComplexImageComponent", ["MAGNITUDE", "PHASE", "REAL"]),
    ],
    "MRDiffusionSequence": [("DiffusionBValue", "DiffusionBValue", [0.0, 50.0, 800.0])],
    "MREchoSequence": [("EffectiveEchoTime", "EchoTime", [2.5, 80.0])],
    "CardiacSynchronizationSequence": [
        ("NominalCardiacTriggerDelayTime", "TriggerTime", [0.0, 412.5])
    ],
    "PixelValueTransformationSequence": [
        ("RescaleSlope", "RescaleSlope", ["1", "0.25", "2", "-1"]),
        ("RescaleIntercept", "RescaleIntercept", ["0", "-1024"]),
    ],
    "FrameVOILUTSequence": [
        ("WindowCenter", "WindowCenter", ["40", "-600", "500.5"]),
        ("WindowWidth", "WindowWidth", ["1", "400", "1500"]),
        ("VOILUTFunction", "VOILUTFunction", ["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
    ],
}


@st.composite
def items_of(draw: st.DrawFn, sequence: str) -> dict[str, Any]:
    return {name: draw(st.sampled_from(values)) for name, _, values in MACROS[sequence]}


@st.composite
def frames(draw: st.DrawFn) -> tuple[Groups, list[Groups]]:
    """Functional groups, each macro shared, per frame, or (but for the place) absent."""
    count = draw(st.integers(2, 6))
    shared: Groups = {}
    own: list[Groups] = [{} for _ in range(count)]
    for sequence in MACROS:
        where = draw(st.sampled_from(["shared", "own", "absent"]))
        if where == "shared":
            shared[sequence] = draw(items_of(sequence))
        elif where == "own" or sequence.startswith("Plane"):
            for group in own:
                group[sequence] = draw(items_of(sequence))
    return shared, own


def classic(stored: NDArray[np.uint16], groups: Groups, index: int) -> Dataset:
    """The frame as a single-frame object, its attributes at the root."""
    ds = image_object(stored, SOPInstanceUID=f"1.2.3.{index}", SOPClassUID=uid.MRImageStorage)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    for sequence, item in groups.items():
        for name, keyword, _ in MACROS[sequence]:
            setattr(ds, keyword, item[name])
    return ds


def choice_of(*objects: Dataset) -> Choice:
    return choose_images((ImageHeader.from_dataset(ds) for ds in objects), spread_over=3)


@given(frames(), st.integers(0, 2**32 - 1))
@settings(max_examples=120, deadline=None)
def test_an_enhanced_object_is_its_frames_as_classic_objects(
    groups: tuple[Groups, list[Groups]], seed: int
) -> None:
    shared, own = groups
    stored = np.random.default_rng(seed).integers(0, 2048, (len(own), 3, 4)).astype(np.uint16)
    enhanced = read_back(
        enhanced_object(
            stored,
            shared,
            own,
            SOPClassUID=uid.EnhancedMRImageStorage,
            ImageType=["ORIGINAL", "PRIMARY", "OTHER"],
        )
    )
    singles = [read_back(classic(stored[i], {**shared, **group}, i)) for i, group in enumerate(own)]
    from_frames, from_singles = choice_of(enhanced), choice_of(*singles)
    assert len(from_frames.chosen) == len(from_singles.chosen)
    for one, other in zip(from_frames.chosen, from_singles.chosen, strict=True):
        assert one.rule == other.rule
        assert other.header.sop_instance_uid == f"1.2.3.{one.frame}"
        of_singles = [slice_.header.sop_instance_uid for slice_ in other.spread]
        assert of_singles == [f"1.2.3.{slice_.frame}" for slice_ in one.spread]
        same = read_image(singles[one.frame or 0]).pixels
        np.testing.assert_array_equal(read_image(enhanced, one.frame).pixels, same)
