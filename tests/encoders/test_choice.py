"""Which images of a study are chosen, and the reasons for leaving the others out."""

import random
from typing import Any

import pytest
from pydicom import uid

from encoders.choice import choose_images
from encoders.eligibility import left_out_because
from encoders.frame_header import FrameHeader
from encoders.header import ImageHeader
from tests.encoders.objects import AXIAL, axial_series, header

BY_NUMBER = "middle by InstanceNumber of"


def projection(name: str = "1.1", **fields: Any) -> ImageHeader:
    defaults = {
        "sop_class_uid": str(uid.DigitalXRayImageStorageForPresentation),
        "modality": "DX",
        "image_type": ("DERIVED", "PRIMARY"),
        "image_position": None,
        "image_orientation": None,
    }
    return header(name, **{**defaults, **fields})


def reason(one: ImageHeader) -> str:
    found = choose_images([one])
    assert found.chosen == ()
    return found.left_out[0].reason


@pytest.mark.parametrize("image_type", [("DERIVED", "PRIMARY"), ("DERIVED", "SECONDARY"), ()])
def test_radiographs_are_taken_image_by_image(image_type: tuple[str, ...]) -> None:
    found = choose_images([projection("1.2", image_type=image_type), projection("1.1")])
    assert [image.header.sop_instance_uid for image in found.chosen] == ["1.1", "1.2"]
    assert {(image.frame, image.rule) for image in found.chosen} == {(None, "image by image (DX)")}


@pytest.mark.parametrize(("frames", "index"), [(2, 0), (3, 1), (60, 29)])
def test_of_a_cine_loop_the_middle_frame(frames: int, index: int) -> None:
    loop = projection(
        sop_class_uid=str(uid.UltrasoundMultiFrameImageStorage),
        modality="US",
        number_of_frames=frames,
    )
    chosen = choose_images([loop]).chosen[0]
    assert chosen.frame == index
    assert chosen.rule == f"image by image (US), middle frame {index + 1} of {frames}"


def test_raw_images_yield_to_the_ones_for_presentation() -> None:
    raw = projection("1.2", sop_class_uid=str(uid.DigitalXRayImageStorageForProcessing))
    both = choose_images([raw, projection("1.1")])
    assert [image.header.sop_instance_uid for image in both.chosen] == ["1.1"]
    assert "For Presentation" in both.left_out[0].reason
    assert len(choose_images([raw]).chosen) == 1


def test_one_slice_for_each_series() -> None:
    other = [
        header(f"2.{i}", series_instance_uid="2", image_position=(0.0, 0.0, float(i)))
        for i in range(3)
    ]
    found = choose_images(axial_series([0.0, 3.0, 6.0, 9.0, 12.0]) + other)
    assert [image.header.sop_instance_uid for image in found.chosen] == ["1.2", "2.1"]
    assert found.chosen[0].rule == "middle by position of 5 slices"
    assert len(found.left_out) == 6


def test_neither_arrival_nor_instance_numbers_matter() -> None:
    headers = axial_series([float(z) for z in range(20)])
    expected = choose_images(headers)
    shuffled = headers + headers[:3]  # some come twice
    random.Random(1).shuffle(shuffled)
    assert choose_images(shuffled) == expected


def test_an_enhanced_object_is_chosen_from_as_its_frames_would_be() -> None:
    places = [12.0, 0.0, 6.0, 3.0, 9.0]
    frames = tuple(FrameHeader((0.0, 0.0, z), AXIAL) for z in places)
    enhanced = header(
        sop_class_uid=str(uid.EnhancedCTImageStorage),
        number_of_frames=5,
        frames=frames,
        image_position=None,
    )
    chosen = choose_images([enhanced]).chosen[0]
    classic = choose_images(axial_series(places)).chosen[0]
    assert chosen.frame == 2
    assert classic.header.image_position == frames[2].position
    assert chosen.rule == classic.rule


def test_missing_geometry_is_said_in_the_rule() -> None:
    headers = [header(f"1.{i}", image_position=None, instance_number=i) for i in range(3)]
    chosen = choose_images(headers).chosen[0]
    assert chosen.header.instance_number == 1
    assert chosen.rule == "no geometry: middle by InstanceNumber of 3 slices"


@pytest.mark.parametrize(
    ("without", "rule"),
    [
        (0, "middle by position of 3 slices"),
        (2, "middle by position of 3 slices, 2 slices without geometry"),
        (3, "middle by position of 3 slices, 3 slices without geometry"),
        (4, f"no geometry: {BY_NUMBER} 4 slices, more than in any of 1 stacks with geometry"),
    ],
)
def test_geometry_that_is_partly_missing_is_said_in_the_rule(without: int, rule: str) -> None:
    lost = [header(f"2.{i}", image_orientation=None) for i in range(without)]
    assert choose_images(axial_series([0.0, 3.0, 6.0]) + lost).chosen[0].rule == rule


def test_several_stacks_and_several_images_at_a_place_are_said_in_the_rule() -> None:
    turned = header("3.1", image_orientation=(0.0, 1.0, 0.0, 0.0, 0.0, -1.0))
    chosen = choose_images([*axial_series([0.0, 3.0, 3.0, 6.0, 6.0]), turned]).chosen[0]
    assert chosen.rule == "middle by position of 3 slices (5 images), largest of 2 stacks"


def test_derived_slices_count_only_where_there_are_no_others() -> None:
    derived = [
        header(f"2.{i}", image_type=("DERIVED", "PRIMARY", "AXIAL"), image_position=(0.0, 0.0, z))
        for i, z in enumerate((20.0, 30.0, 40.0))
    ]
    found = choose_images(axial_series([0.0, 3.0, 6.0]) + derived)
    assert [image.header.sop_instance_uid for image in found.chosen] == ["1.1"]
    reasons = {entry.sop_instance_uid: entry.reason for entry in found.left_out}
    assert reasons["2.1"] == "derived image, and its series has original ones"
    assert reasons["1.0"] == "not the middle slice of its series"
    assert choose_images(derived).chosen[0].header.sop_instance_uid == "2.1"


def test_more_frames_than_a_series_may_have_are_not_counted_through() -> None:
    # a few bytes each, and a billion frames together
    headers = [header(f"1.{i:05}", number_of_frames=100_000) for i in range(10_000)]
    found = choose_images(headers)
    assert [image.header.sop_instance_uid for image in found.chosen] == ["1.00000"]
    assert found.left_out[0].reason == "its series has more than 100000 frames"


@pytest.mark.parametrize(
    ("image_type", "expected"),
    [
        (("ORIGINAL", "PRIMARY", "LOCALIZER"), "localizer"),
        (("ORIGINAL", "PRIMARY", "SCOUT"), "localizer"),
        (("DERIVED", "SECONDARY", "AXIAL"), "derived secondary"),
        (("DERIVED", "PRIMARY", "MPR"), "reformat"),
        (("DERIVED", "PRIMARY", "PROJECTION IMAGE", "M"), "reformat"),
        (("DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"), "reformat"),
        (("DERIVED", "PRIMARY", "PERFUSION", "RCBF"), "calculated"),
        (("DERIVED", "PRIMARY", "AXIAL", "MEAN"), "calculated"),
    ],
)
def test_image_types_that_are_left_out(image_type: tuple[str, ...], expected: str) -> None:
    found = reason(header(image_type=image_type))
    assert found.startswith(expected)
    assert "\\".join(image_type) in found


@pytest.mark.parametrize(
    "image_type",
    [
        (),
        ("ORIGINAL", "PRIMARY"),
        ("DERIVED", "PRIMARY", "AXIAL"),
        ("DERIVED", "PRIMARY", "AXIAL", "NONE"),
        ("MIXED", "PRIMARY", "AXIAL", "MIXED"),
    ],
)
def test_image_types_that_are_kept(image_type: tuple[str, ...]) -> None:
    assert len(choose_images([header(image_type=image_type)]).chosen) == 1


@pytest.mark.parametrize(
    ("sop_class", "expected"),
    [
        (uid.SecondaryCaptureImageStorage, "secondary capture"),
        (uid.MultiFrameTrueColorSecondaryCaptureImageStorage, "secondary capture"),
        (uid.GrayscaleSoftcopyPresentationStateStorage, "presentation state"),
        (uid.Comprehensive3DSRStorage, "structured report"),
        (uid.XRayRadiationDoseSRStorage, "dose report"),
        (uid.SegmentationStorage, "segmentation"),
        (uid.RTStructureSetStorage, "radiotherapy"),
        (uid.EncapsulatedPDFStorage, "encapsulated document"),
        (uid.VLWholeSlideMicroscopyImageStorage, "SOP class VL Whole Slide"),
        ("1.2.3.4", "SOP class 1.2.3.4"),
    ],
)
def test_sop_classes_that_are_left_out(sop_class: str, expected: str) -> None:
    assert reason(header(sop_class_uid=str(sop_class))).startswith(expected)


@pytest.mark.parametrize("modality", ["OT", "NM", "XX"])
def test_modalities_that_are_left_out(modality: str) -> None:
    assert reason(header(modality=modality)) == f"modality {modality} is not one that is embedded"


def test_a_reason_shows_no_control_characters() -> None:
    reason = left_out_because(header(modality="\x01"))
    assert reason == "modality ? is not one that is embedded"
