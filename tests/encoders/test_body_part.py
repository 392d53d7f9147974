"""Where an object says what part of the body it shows."""

import numpy as np
import pytest
from pydicom.dataset import Dataset

from encoders.body_part import read_body_part
from encoders.grayscale import read_image
from tests.encoders.objects import image_object, with_items


def enhanced(**attributes: object) -> Dataset:
    return image_object(np.zeros((2, 1, 2), np.uint16), **attributes)


def anatomy(meaning: str) -> Dataset:
    region = with_items(CodeValue="1", CodingSchemeDesignator="SCT", CodeMeaning=meaning)
    return with_items(AnatomicRegionSequence=region)[0]


def test_body_part_examined_comes_first() -> None:
    ds = enhanced(BodyPartExamined="chest")
    ds.update(anatomy("Head"))
    assert read_body_part(ds, 0) == "CHEST"


def test_the_anatomic_region_stands_in() -> None:
    ds = enhanced()
    ds.update(anatomy("Abdomen"))
    assert read_body_part(ds, 0) == "ABDOMEN"


def test_of_functional_groups_the_frames_own_comes_first() -> None:
    # PS3.3 C.7.6.16.2.8 Frame Anatomy macro
    shared = with_items(FrameAnatomySequence=[anatomy("Neck")])
    own = with_items(FrameAnatomySequence=[anatomy("Head")])
    ds = enhanced(SharedFunctionalGroupsSequence=shared, PerFrameFunctionalGroupsSequence=own)
    assert [read_body_part(ds, frame) for frame in (0, 1)] == ["HEAD", "NECK"]


def test_nothing_said_is_nothing() -> None:
    assert read_body_part(enhanced(), 0) is None


@pytest.mark.parametrize(("meaning", "center"), [("Thorax", -600), ("Entire brain", 40)])
def test_an_enhanced_ct_gets_its_default_window_by_region(meaning: str, center: int) -> None:
    ds = enhanced(Modality="CT", RescaleSlope=1, RescaleIntercept=-1024)
    ds.update(anatomy(meaning))
    assert read_image(ds, 0).rules["window_center"] == center
