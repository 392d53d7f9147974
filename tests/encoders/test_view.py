"""View and laterality: codes and words from PS3.16 CID 4010 and 4014, written by hand."""

import pytest
from pydicom.dataset import Dataset

from encoders.header import ImageHeader
from encoders.view import read_laterality, read_view
from tests.encoders.objects import gray, image_object, set_raw, with_items


def coded(value: str, scheme: str = "SCT", meaning: str = "as the sender says") -> Dataset:
    ds = Dataset()
    ds.ViewCodeSequence = with_items(
        CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning
    )
    return ds


@pytest.mark.parametrize(
    ("value", "scheme", "view"),
    [
        ("399348003", "SCT", "AP"),
        ("272479007", "SCT", "PA"),
        ("399173006", "SCT", "LL"),
        ("399198007", "SCT", "RL"),
        ("399162004", "SCT", "CC"),
        ("399368009", "SCT", "MLO"),
        ("399260004", "SCT", "ML"),
        ("399352003", "SCT", "LM"),
        ("399099002", "SCT", "LMO"),
        ("399196006", "SCT", "FB"),
        ("399188001", "SCT", "SIO"),
        ("441555000", "SCT", "ISO"),
        ("399192008", "SCT", "XCCL"),
        ("399101009", "SCT", "XCCM"),
        # the 2013 edition of CID 4014, with the note that SNM3 is to be taken as SRT
        ("R-10242", "SRT", "CC"),
        ("R-10226", "SRT", "MLO"),
        ("R-10226", "SNM3", "MLO"),
        # no word of View Position's: the meaning that the standard gives
        ("399067008", "SCT", "lateral"),
        ("399135007", "SCT", "left anterior oblique"),
        # not of these context groups: the object's own meaning
        ("1", "99SITE", "as the sender says"),
    ],
)
def test_codes_become_words(value: str, scheme: str, view: str) -> None:
    assert read_view(coded(value, scheme)) == view


def test_view_position_goes_before_the_code() -> None:
    ds = coded("399348003")
    ds.ViewPosition = "PA"
    assert read_view(ds) == "PA"


def test_patient_orientation_is_no_view() -> None:
    ds = Dataset()
    ds.PatientOrientation = ["L", "F"]
    assert read_view(ds) is None


@pytest.mark.parametrize(
    ("value", "scheme", "meaning", "view"),
    [("", "SCT", "from above", "from above"), ("399348003", "", "", None), ("", "", "", None)],
)
def test_half_a_code(value: str, scheme: str, meaning: str, view: str | None) -> None:
    assert read_view(coded(value, scheme, meaning)) == view


@pytest.mark.parametrize("tag", [0x00540220, 0x00209071, 0x52009230, 0x52009229])
def test_damaged_sequences_are_none(tag: int) -> None:
    ds = image_object(gray(1))
    set_raw(ds, tag, "LO", b"no sequence")
    found = ImageHeader.from_dataset(ds)
    assert (found.view_position, found.laterality) == (None, None)


def frame_side(side: str) -> Dataset:
    group = with_items(FrameAnatomySequence=with_items(FrameLaterality=side))
    ds = Dataset()
    ds.SharedFunctionalGroupsSequence = group
    return ds


@pytest.mark.parametrize(
    ("attributes", "side"),
    [
        ({"ImageLaterality": "L", "Laterality": "R"}, "L"),
        ({"ImageLaterality": "", "Laterality": "R"}, "R"),
        ({}, "B"),
    ],
)
def test_laterality_of_image_then_series_then_frame(attributes: dict[str, str], side: str) -> None:
    ds = frame_side("B")
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    assert read_laterality(ds) == side


def test_the_first_frames_own_laterality_goes_before_the_shared() -> None:
    ds = frame_side("B")
    ds.PerFrameFunctionalGroupsSequence = frame_side("L").SharedFunctionalGroupsSequence
    assert read_laterality(ds) == "L"
