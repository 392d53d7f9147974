"""PS3.3 C.11.1: output = slope x stored value + intercept, or a table."""

import numpy as np
import pytest
from pydicom import uid

from encoders.image import PixelError
from encoders.lookup_table import LookupTable
from encoders.modality_lut import Rescale, in_hounsfield, read_modality_lut
from tests.encoders.objects import gray, image_object, set_raw, with_items


def test_rescale_is_linear_in_the_stored_value() -> None:
    ds = image_object(gray(0, 1000), RescaleSlope=2, RescaleIntercept=-1024)
    lut = read_modality_lut(ds, 0)
    assert lut == Rescale(2.0, -1024.0)
    assert isinstance(lut, Rescale)
    assert lut(np.array([0.0, 1000.0])).tolist() == [-1024.0, 976.0]


def test_nothing_given_is_the_identity() -> None:
    assert read_modality_lut(image_object(gray(0)), 0) is None


def test_intercept_alone_has_slope_one() -> None:
    ds = image_object(gray(0), RescaleIntercept=-1000)
    assert read_modality_lut(ds, 0) == Rescale(1.0, -1000.0)


def test_slope_of_zero_names_its_tag() -> None:
    ds = image_object(gray(0), RescaleSlope=0, RescaleIntercept=0)
    with pytest.raises(PixelError, match="0028,1053"):
        read_modality_lut(ds, 0)


@pytest.mark.parametrize("written", [b"NaN ", b"inf ", b"abc "])
def test_slope_that_is_no_number_names_its_tag(written: bytes) -> None:
    ds = image_object(gray(0))
    set_raw(ds, 0x00281053, "DS", written)
    with pytest.raises(PixelError, match="0028,1053"):
        read_modality_lut(ds, 0)


def test_functional_groups_go_from_frame_to_shared_to_root() -> None:
    # C.7.6.16.2.9 Pixel Value Transformation macro
    ds = image_object(gray(0), RescaleSlope=1, RescaleIntercept=1)
    shared = with_items(RescaleSlope=2, RescaleIntercept=2, RescaleType="HU")
    ds.SharedFunctionalGroupsSequence = with_items(PixelValueTransformationSequence=shared)
    assert read_modality_lut(ds, 0) == Rescale(2.0, 2.0, "HU")
    own = with_items(RescaleSlope=3, RescaleIntercept=3, RescaleType="US")
    ds.PerFrameFunctionalGroupsSequence = with_items(PixelValueTransformationSequence=own)
    assert read_modality_lut(ds, 0) == Rescale(3.0, 3.0, "US")
    assert read_modality_lut(ds, 1) == Rescale(2.0, 2.0, "HU")


def test_a_table_is_taken_before_rescale() -> None:
    ds = image_object(gray(0), RescaleSlope=1, RescaleIntercept=0)
    ds.ModalityLUTSequence = with_items(LUTDescriptor=[3, 10, 16], LUTData=[7, 8, 9])
    lut = read_modality_lut(ds, 0)
    assert isinstance(lut, LookupTable)
    # C.11.1.1.1: below the first value the first entry, above the last the last
    assert lut(np.array([0.0, 10.0, 11.0, 12.0, 99.0])).tolist() == [7, 7, 8, 9, 9]


@pytest.mark.parametrize(
    ("sop_class", "expected"),
    [
        (uid.XRayAngiographicImageStorage, None),  # PS3.4 N.2.5: ignored for display
        (uid.XRayRadiofluoroscopicImageStorage, None),
        (uid.EnhancedXAImageStorage, Rescale(2.0, 3.0)),
        (uid.CTImageStorage, Rescale(2.0, 3.0)),
    ],
)
def test_the_table_of_angiography_is_not_for_display(
    sop_class: uid.UID, expected: Rescale | None
) -> None:
    ds = image_object(gray(0), SOPClassUID=sop_class, RescaleSlope=2, RescaleIntercept=3)
    assert read_modality_lut(ds, 0) == expected


@pytest.mark.parametrize(
    ("modality", "lut", "expected"),
    [
        ("CT", Rescale(1, -1024), True),  # C.8.2.1.1.4: RescaleType may be absent
        ("CT", Rescale(1, -1024, "HU"), True),
        ("CT", Rescale(1, 0, "US"), False),
        ("CT", None, False),
        ("MR", Rescale(1, 0, "HU"), False),
    ],
)
def test_hounsfield_units(modality: str, lut: Rescale | None, expected: bool) -> None:
    assert in_hounsfield(image_object(gray(0), Modality=modality), lut) is expected
