"""What holds of the pixel pipeline whatever the object says (hypothesis draws the objects)."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from encoders.grayscale import read_image
from tests.encoders.objects import image_object, with_items

DTYPES = st.sampled_from([np.uint8, np.int16, np.uint16, np.int32])
FUNCTIONS = st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"])
NUMBERS = st.floats(-5000, 5000).map(lambda number: round(number, 3))


@st.composite
def stored_values(draw: st.DrawFn) -> NDArray[Any]:
    """One row of stored values, over the type's whole range or within a narrow part of it."""
    dtype: Any = draw(DTYPES)
    info = np.iinfo(dtype)
    values = st.integers(info.min, info.max) | st.integers(0, 120)
    return np.array([draw(st.lists(values, min_size=1, max_size=40))], dtype)


@st.composite
def pipelines(draw: st.DrawFn) -> dict[str, Any]:
    """Attributes of a modality LUT, a VOI LUT and a polarity, each of which may be absent."""
    found: dict[str, Any] = {}
    if draw(st.booleans()):
        slope = draw(st.floats(0.01, 20)) * draw(st.sampled_from([1, -1]))
        found |= {"RescaleSlope": round(slope, 3), "RescaleIntercept": draw(NUMBERS)}
    if draw(st.booleans()):
        width = draw(st.floats(1, 5000).map(lambda number: round(number, 3)))
        found |= {"WindowCenter": draw(NUMBERS), "WindowWidth": width}
        found["VOILUTFunction"] = draw(FUNCTIONS)
    elif draw(st.booleans()):
        entries = sorted(draw(st.lists(st.integers(0, 4095), min_size=2, max_size=20)))
        first = draw(st.integers(0, 300))
        table = {"LUTDescriptor": [len(entries), first, 12], "LUTData": entries}
        found["VOILUTSequence"] = with_items(**table)
    found["PhotometricInterpretation"] = draw(st.sampled_from(["MONOCHROME1", "MONOCHROME2"]))
    found["Modality"] = draw(st.sampled_from(["CT", "MR", "DX"]))
    return found


def rises(ds: Dataset) -> bool:
    """Whether brightness is to rise with the stored value."""
    falls = ds.get("RescaleSlope", 1) < 0
    return bool(falls == (ds.PhotometricInterpretation == "MONOCHROME1"))


@given(stored_values(), pipelines())
@settings(max_examples=300, deadline=None)
def test_brightness_is_monotone_in_the_stored_value(
    stored: NDArray[Any], pipeline: dict[str, Any]
) -> None:
    ds = image_object(np.sort(stored), **pipeline)
    pixels = read_image(ds).pixels[0].astype(np.float64)
    steps = np.diff(pixels) if rises(ds) else -np.diff(pixels)
    assert steps.min(initial=0.0) >= 0
    assert (pixels[1:] == pixels[:-1])[np.diff(np.sort(stored)[0]) == 0].all()
    assert 0 <= pixels.min() <= pixels.max() <= 1


@given(stored_values(), pipelines(), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_a_pixel_is_shown_the_same_wherever_it_stands(
    stored: NDArray[Any], pipeline: dict[str, Any], random: Any
) -> None:
    order = list(range(stored.shape[1]))
    random.shuffle(order)
    here = read_image(image_object(stored, **pipeline)).pixels
    there = read_image(image_object(stored[:, order], **pipeline)).pixels
    np.testing.assert_array_equal(here[:, order], there)


@given(stored_values(), pipelines(), st.integers(0, 40), st.integers(1, 200))
@settings(max_examples=100, deadline=None)
def test_padding_is_black_and_moves_nothing_else(
    stored: NDArray[Any], pipeline: dict[str, Any], low: int, count: int
) -> None:
    # the padding values are taken out of the image, then put beside it
    kept = stored[:, (stored[0] < low) | (stored[0] > low + 5)]
    if kept.size == 0:
        return
    beside = np.concatenate([kept, np.full((1, count), low + 2, kept.dtype)], axis=1)
    padding = {"PixelPaddingValue": low, "PixelPaddingRangeLimit": low + 5}
    pixels = read_image(image_object(beside, **pipeline, **padding)).pixels
    alone = read_image(image_object(kept, **pipeline)).pixels
    np.testing.assert_array_equal(pixels[:, : kept.size], alone)
    assert not pixels[:, kept.size :].any()
