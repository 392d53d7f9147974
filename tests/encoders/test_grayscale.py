"""The whole pipeline on written files, against values worked out by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import XRayAngiographicImageStorage

from encoders.grayscale import read_image
from encoders.image import PixelError
from tests.encoders.objects import gray, image_object, with_items, written


def exact(low: float, high: float) -> dict[str, Any]:
    """A LINEAR_EXACT window from low to high."""
    center, width = (low + high) / 2, high - low
    return {"WindowCenter": center, "WindowWidth": width, "VOILUTFunction": "LINEAR_EXACT"}


def shown(stored: NDArray[Any], **attributes: Any) -> list[float]:
    pixels = read_image(image_object(stored, **attributes)).pixels
    assert pixels.dtype == np.float32
    found: list[float] = pixels[0].tolist()
    return found


def test_modality_lut_comes_before_the_window(tmp_path: Path) -> None:
    ds = image_object(gray(0, 512, 1024), RescaleSlope=2, RescaleIntercept=-1024)
    ds.update(image_object(gray(0, 512, 1024), **exact(-1024, 1024)))
    image = read_image(written(ds, tmp_path))
    assert image.pixels[0].tolist() == [0.0, 0.5, 1.0]
    assert image.rules["rescale_slope"] == 2.0
    assert image.rules["window_center"] == 0.0
    assert image.rules["voi"] == "window of the object"


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME2", None, False),
        ("MONOCHROME1", None, True),  # C.7.6.3.1.2
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME1", "INVERSE", True),  # C.8.11.3.1.2: one statement, one inversion
        ("MONOCHROME2", "INVERSE", True),  # as DCMTK's dcm2pnm shows it
        ("MONOCHROME1", "IDENTITY", False),  # likewise
    ],
)
def test_polarity_follows_the_window(photometric: str, shape: str | None, inverted: bool) -> None:
    attributes = {"PhotometricInterpretation": photometric, **exact(0, 100)}
    if shape:
        attributes["PresentationLUTShape"] = shape
    expected = [1.0, 0.75, 0.0] if inverted else [0.0, 0.25, 1.0]
    assert shown(gray(0, 25, 100), **attributes) == expected


@pytest.mark.parametrize(
    ("value", "limit", "expected"),
    [
        (100, None, [0.0, 0.5, 0.0]),  # C.7.5.1.1.2
        (90, 100, [0.0, 0.5, 0.0]),
        (100, 90, [0.0, 0.5, 0.0]),  # the limit may lie on either side
        (10, None, [0.0, 0.5, 1.0]),
        (40, 60, [0.0, 0.0, 1.0]),
    ],
)
def test_padding_is_black(value: int, limit: int | None, expected: list[float]) -> None:
    attributes = {"PixelPaddingValue": value, **exact(0, 100)}
    if limit is not None:
        attributes["PixelPaddingRangeLimit"] = limit
    assert shown(gray(0, 50, 100), **attributes) == expected


def test_padding_stays_black_when_polarity_inverts() -> None:
    attributes = {"PhotometricInterpretation": "MONOCHROME1", "PixelPaddingValue": 0}
    assert shown(gray(0, 50, 100), **attributes, **exact(0, 100)) == [0.0, 0.5, 0.0]


def test_padding_of_signed_pixels_written_as_unsigned() -> None:
    ds = image_object(np.array([[-2000, 0, 100]], np.int16), **exact(-2000, 100))
    ds.add_new("PixelPaddingValue", "US", 63536)  # 65536 - 2000
    image = read_image(ds)
    assert image.pixels[0, 0] == 0.0
    assert image.rules["padding_low"] == -2000
    assert image.rules["padded_share"] == pytest.approx(1 / 3, abs=1e-6)


@pytest.mark.parametrize(
    ("part", "center", "width"),
    [
        ("CHEST", -600, 1500),
        ("HEAD", 40, 80),
        ("HEADNECK", 50, 400),
        ("CHESTABDOMEN", 50, 400),
        ("", 40, 400),
    ],
)
def test_ct_without_a_window_gets_the_stated_one(part: str, center: float, width: float) -> None:
    ds = image_object(gray(0, 1024), Modality="CT", RescaleSlope=1, RescaleIntercept=-1024)
    ds.BodyPartExamined = part
    image = read_image(ds)
    assert image.rules["voi_function"] == "LINEAR"
    assert (image.rules["window_center"], image.rules["window_width"]) == (center, width)


def test_an_encoder_may_ask_for_a_window_of_its_own_for_ct() -> None:
    """PS3.3 C.11.2.1.2.1, LINEAR, c 0.5 and w 401: -200 HU is the last black, 200 HU white."""
    ds = image_object(gray(824, 1024, 1224), Modality="CT", RescaleSlope=1, RescaleIntercept=-1024)
    ds.WindowCenter, ds.WindowWidth = 40, 80
    image = read_image(ds, ct_window=(0.5, 401.0))
    np.testing.assert_allclose(image.pixels[0], [0.0, 0.5, 1.0], atol=1e-6)
    assert image.rules["voi"] == "window of the encoder"


def test_that_window_is_not_for_images_without_hounsfield_units() -> None:
    ds = image_object(gray(0, 100, 200), Modality="CR", WindowCenter=100, WindowWidth=200)
    asked, own = read_image(ds, ct_window=(0.0, 400.0)), read_image(ds)
    np.testing.assert_array_equal(asked.pixels, own.pixels)


def test_without_a_window_one_bright_pixel_moves_nothing() -> None:
    stored = np.tile(np.arange(200, dtype=np.uint16), (5, 1))
    stored[0, 0] = 60000
    image = read_image(image_object(stored))
    # 1000 pixels, five each of 0 to 199 (one 0 taken away): the 10th is 2, the 990th 198
    assert (image.rules["window_center"], image.rules["window_width"]) == (100.0, 196.0)
    assert image.rules["voi"] == "percentiles 1 to 99"
    assert image.pixels[1, 51] == 0.25


def test_percentiles_leave_padding_out() -> None:
    stored = np.concatenate([np.full(900, 5000), np.arange(100)]).astype(np.uint16)[None]
    image = read_image(image_object(stored, PixelPaddingValue=5000))
    assert (image.rules["window_center"], image.rules["window_width"]) == (49.0, 98.0)


def test_an_image_mostly_of_one_value_spans_all_values() -> None:
    stored = np.full((1, 1000), 7, np.uint16)
    stored[0, 0] = 17
    image = read_image(image_object(stored))
    assert image.rules["voi"] == "least to greatest value"
    assert image.pixels[0, :2].tolist() == [1.0, 0.0]


@pytest.mark.parametrize("attributes", [{}, {"PixelPaddingValue": 9}])
def test_a_constant_image_is_black_and_says_so(attributes: dict[str, int]) -> None:
    image = read_image(image_object(gray(9, 9, 9), **attributes))
    assert image.pixels.tolist() == [[0.0, 0.0, 0.0]]
    assert image.rules["voi"] == "constant image"


def test_frames_are_chosen_by_index_and_the_middle_one_by_default(tmp_path: Path) -> None:
    stored = np.array([[[0]], [[25]], [[50]], [[100]]], np.uint16)
    path = written(image_object(stored, **exact(0, 100)), tmp_path)
    found = [read_image(path, frame).pixels[0, 0] for frame in (0, 1, 2, 3, None)]
    assert found == [0.0, 0.25, 0.5, 1.0, 0.25]
    with pytest.raises(PixelError, match=r"frame 5 .*0028,0008"):
        read_image(path, 4)


def test_each_frame_has_its_own_functional_groups() -> None:
    ds = image_object(np.full((2, 1, 1), 50, np.uint16))
    groups = [
        with_items(FrameVOILUTSequence=with_items(**exact(0, high)))[0] for high in (100, 200)
    ]
    ds.PerFrameFunctionalGroupsSequence = groups
    assert [read_image(ds, frame).pixels[0, 0] for frame in (0, 1)] == [0.5, 0.25]


@pytest.mark.parametrize("photometric", ["HSV", "YBR_PARTIAL_420", "PALETTE COLOR", ""])
def test_what_cannot_be_shown_names_the_tag(photometric: str) -> None:
    with pytest.raises(PixelError, match=r"0028,(0004|1101)"):
        read_image(image_object(gray(0, 1), PhotometricInterpretation=photometric))


def test_a_palette_without_a_colour_is_refused() -> None:
    ds = image_object(np.array([[0, 1]], np.uint8), PhotometricInterpretation="PALETTE COLOR")
    for name in ("Red", "Green", "Blue"):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [2, 0, 16])
        setattr(ds, f"{name}PaletteColorLookupTableData", bytes(4))
    ds.BluePaletteColorLookupTableData = b""
    with pytest.raises(PixelError, match="0028,1101"):
        read_image(ds)


def test_overflowing_numbers_are_refused() -> None:
    ds = image_object(gray(0, 60000), RescaleSlope=1e308, RescaleIntercept=-1e308, **exact(0, 1))
    ds.VOILUTFunction = "SIGMOID"
    ds.WindowWidth = 1e308
    image = read_image(ds)
    assert np.isfinite(image.pixels).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32])
def test_brightness_never_falls_as_the_stored_value_rises(dtype: type[Any]) -> None:
    info = np.iinfo(dtype)
    stored = np.linspace(info.min, info.max, 4096).astype(dtype)[None]
    for function in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        pixels = shown(stored, WindowCenter=40, WindowWidth=150, VOILUTFunction=function)
        assert np.diff(pixels).min() >= 0


def test_which_of_several_windows_was_taken_is_told() -> None:
    ds = image_object(gray(0, 1), WindowCenter=[450, -600], WindowWidth=[790, 1500])
    ds.WindowCenterWidthExplanation, ds.BodyPartExamined = ["MEDIASTINUM", "LUNG"], "CHEST"
    rules = read_image(ds).rules
    told = {key: rules[key] for key in rules if key.startswith("voi_")}
    assert told == {
        "voi_function": "LINEAR",
        "voi_number": 2,
        "voi_count": 2,
        "voi_explanation": "LUNG",
        "voi_chosen_by": "explanation",
    }


def test_angiography_is_shown_without_its_modality_lut() -> None:
    # PS3.4 N.2.5; with it, the window from 0 to 100 would show 1.0 instead of 0.5
    ds = image_object(gray(0, 50, 100), RescaleSlope=2, RescaleIntercept=0, **exact(0, 100))
    ds.SOPClassUID = XRayAngiographicImageStorage
    image = read_image(ds)
    assert image.pixels[0].tolist() == [0.0, 0.5, 1.0]
    assert image.rules["modality_lut"] == "identity: that of XA and RF is not for display"


def test_colour_of_many_rows_is_the_same_as_of_one() -> None:
    tall = np.repeat(np.array([[[255, 0, 0]]], np.uint8), 200, axis=0)
    ds = image_object(tall[..., 0], SamplesPerPixel=3, PlanarConfiguration=0)
    ds.PhotometricInterpretation, ds.PixelData = "RGB", tall.tobytes()
    assert read_image(ds).pixels[:, 0] == pytest.approx(np.full(200, 0.299), abs=1e-6)


def test_a_supplemental_palette_is_told_to_be_left_out() -> None:
    ds = image_object(gray(0, 1), PixelPresentation="COLOR", Modality="CT")
    assert read_image(ds).rules["supplemental_palette"] == "not applied"


def radiograph(photometric: str) -> Dataset:
    """Bright along both middle lines and dark off them, as MONOCHROME2 would be stored."""
    down, across = np.abs(np.mgrid[-32:32, -32:32] + 0.5)
    stored = (3200 - 100 * np.minimum(down, across)).astype(np.uint16)
    return image_object(stored, PhotometricInterpretation=photometric, Modality="DX")


@pytest.mark.parametrize(
    ("photometric", "suspect"), [("MONOCHROME2", False), ("MONOCHROME1", True)]
)
def test_a_tag_that_the_pixels_contradict_is_flagged_and_not_corrected(
    photometric: str, suspect: bool
) -> None:
    image = read_image(radiograph(photometric))
    assert image.rules["polarity_suspect"] is suspect
    assert image.rules["inverted"] is (photometric == "MONOCHROME1")
    assert image.pixels[32, 32] == (0.0 if suspect else 1.0)


def test_ultrasound_gets_no_polarity_flag() -> None:
    assert "polarity_suspect" not in read_image(image_object(gray(0, 1), Modality="US")).rules
