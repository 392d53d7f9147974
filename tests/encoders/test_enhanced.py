"""Enhanced multi-frame objects: which frames count, what their headers say, how they are chosen."""

from typing import Any

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from encoders.choice import Choice, choose_images
from encoders.frame_header import FrameHeader
from encoders.header import ImageHeader
from tests.encoders.objects import (
    AXIAL,
    Groups,
    enhanced_object,
    functional_groups,
    header,
    read_back,
    set_raw,
)

ORIGINAL = ("ORIGINAL", "PRIMARY", "AXIAL", "NONE")
DERIVED = ("DERIVED", "PRIMARY", "AXIAL", "NONE")
LOCALIZER = ("ORIGINAL", "PRIMARY", "LOCALIZER", "NONE")


def place(z: float) -> Groups:
    return {"PlanePositionSequence": {"ImagePositionPatient": [0, 0, z]}}


def axial() -> Groups:
    return {"PlaneOrientationSequence": {"ImageOrientationPatient": list(AXIAL)}}


def enhanced_mr(shared: Groups, frames: list[Groups], **attributes: Any) -> Dataset:
    return enhanced_object(
        np.zeros((len(frames), 2, 2), np.uint16),
        shared,
        frames,
        SOPClassUID=uid.EnhancedMRImageStorage,
        Modality="MR",
        **attributes,
    )


def test_frame_headers_by_macro() -> None:
    own: Groups = {
        **place(10),
        "FrameContentSequence": {"TemporalPositionIndex": 2, "FrameAcquisitionNumber": 3},
        "MRImageFrameTypeSequence": {
            "FrameType": list(ORIGINAL),
            "ComplexImageComponent": "MAGNITUDE",
        },
        "MRDiffusionSequence": {"DiffusionBValue": 800.0},
        "CardiacSynchronizationSequence": {"NominalCardiacTriggerDelayTime": 412.5},
    }
    shared: Groups = {**axial(), "MREchoSequence": {"EffectiveEchoTime": 80.0}}
    found = ImageHeader.from_dataset(read_back(enhanced_mr(shared, [own])))
    assert found.frames == (
        FrameHeader(
            position=(0.0, 0.0, 10.0),
            orientation=AXIAL,
            b_value=800.0,
            temporal_position=2,
            image_type=ORIGINAL,
            complex_image_component="MAGNITUDE",
            echo_time=80.0,
            acquisition_number=3,
            trigger_time=412.5,
        ),
    )


def test_a_frames_own_macro_goes_before_the_shared_one() -> None:
    shared: Groups = {**axial(), "MREchoSequence": {"EffectiveEchoTime": 80.0}}
    own: Groups = {"MREchoSequence": {"EffectiveEchoTime": 10.0}}
    found = ImageHeader.from_dataset(enhanced_mr(shared, [own, place(1)]))
    assert [frame.echo_time for frame in found.frames] == [10.0, 80.0]


def test_damaged_macros_are_none() -> None:
    group = functional_groups(place(1))
    set_raw(group, 0x00189114, "LO", b"no sequence")  # MREchoSequence
    set_raw(group.PlanePositionSequence[0], 0x00200032, "DS", b"1\\2")
    ds = enhanced_mr(axial(), [place(0)])
    ds.PerFrameFunctionalGroupsSequence = [group]
    assert ImageHeader.from_dataset(ds).frames == (FrameHeader(orientation=AXIAL),)


def typed(*types: tuple[str, ...], image_type: tuple[str, ...] = ORIGINAL) -> ImageHeader:
    """An enhanced object whose frames lie 3 mm apart and have these frame types."""
    frames = [
        FrameHeader((0.0, 0.0, 3.0 * i), AXIAL, image_type=frame_type)
        for i, frame_type in enumerate(types)
    ]
    return header(
        sop_class_uid=str(uid.EnhancedCTImageStorage),
        number_of_frames=len(frames),
        frames=tuple(frames),
        image_type=image_type,
        image_position=None,
        image_orientation=None,
    )


def frame_of(found: Choice) -> int | None:
    return found.chosen[0].frame


@pytest.mark.parametrize(
    ("types", "frame", "slices"),
    [
        # all count: 0, 3, 6, 9, 12 mm
        ([ORIGINAL] * 5, 2, 5),
        # 6, 9 and 12 mm count
        ([LOCALIZER, LOCALIZER, ORIGINAL, ORIGINAL, ORIGINAL], 3, 3),
        # 0 and 3 mm count: of two equally near the lower
        ([ORIGINAL, ORIGINAL, DERIVED, DERIVED, DERIVED], 0, 2),
        # a derived frame counts where no other does
        ([DERIVED, DERIVED, DERIVED, LOCALIZER, LOCALIZER], 1, 3),
        # a pixel by pixel mean over the slices is no slice
        ([ORIGINAL, ("DERIVED", "PRIMARY", "AXIAL", "MEAN")], 0, 1),
        # no type of its own: the instance's, which is original
        ([(), (), LOCALIZER], 0, 2),
    ],
)
def test_frames_that_count(types: list[tuple[str, ...]], frame: int, slices: int) -> None:
    found = choose_images([typed(*types, image_type=("MIXED", "PRIMARY", "AXIAL", "MIXED"))])
    assert frame_of(found) == frame
    assert found.chosen[0].rule == f"middle by position of {slices} slices"


def test_an_instance_without_a_frame_that_counts_is_left_out_with_the_reason() -> None:
    found = choose_images([typed(LOCALIZER, LOCALIZER)])
    assert found.chosen == ()
    written = "localizer (ImageType ORIGINAL\\PRIMARY\\LOCALIZER\\NONE), each of 2 frames"
    assert found.left_out[0].reason == written


def test_frame_types_go_before_the_image_type() -> None:
    # value 3 of ImageType is never MIXED (C.8.16.1.3): it may name the kind of some frames only
    assert frame_of(choose_images([typed(ORIGINAL, ORIGINAL, image_type=LOCALIZER)])) == 0


def test_an_image_type_decides_where_no_frame_has_a_type() -> None:
    assert choose_images([typed((), (), image_type=LOCALIZER)]).chosen == ()


def test_stack_id_has_no_say() -> None:
    # one stack by geometry, two by StackID: the third of five frames is the middle
    frames = [
        {**place(3.0 * i), "FrameContentSequence": {"StackID": name, "InStackPositionNumber": 1}}
        for i, name in enumerate("11222")
    ]
    found = choose_images([ImageHeader.from_dataset(enhanced_mr(axial(), frames))])
    assert frame_of(found) == 2
    assert found.chosen[0].rule == "middle by position of 5 slices"


def test_several_enhanced_objects_of_one_series_are_one_stack() -> None:
    halves = [
        ImageHeader.from_dataset(
            enhanced_mr(axial(), list(map(place, places)), SOPInstanceUID=name)
        )
        for name, places in (("1.1", [0, 3, 6]), ("1.2", [9, 12, 15, 18]))
    ]
    chosen = choose_images(halves).chosen
    assert [(image.header.sop_instance_uid, image.frame) for image in chosen] == [("1.2", 0)]


def test_one_frame_of_a_multi_frame_class() -> None:
    found = choose_images([ImageHeader.from_dataset(enhanced_mr(axial(), [place(3)]))])
    assert frame_of(found) is None
    assert found.chosen[0].rule == "middle by position of 1 slices"


@pytest.mark.parametrize("root", [None, (0.0, 0.0, 0.0)])
def test_a_multi_frame_object_without_functional_groups_gives_its_middle_frame(
    root: tuple[float, ...] | None,
) -> None:
    found = choose_images([header(number_of_frames=4, image_position=root)])
    assert frame_of(found) == 1
    assert found.chosen[0].rule == "no geometry: middle by InstanceNumber of 4 slices"
