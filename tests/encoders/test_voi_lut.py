"""PS3.3 C.11.2: the three functions at values worked out by hand from their formulae."""

import math

import numpy as np
import pytest
from pydicom.dataset import Dataset

from encoders.image import PixelError
from encoders.voi_lut import VoiFunction, Window, read_voi_lut
from tests.encoders.objects import gray, image_object, with_items


@pytest.mark.parametrize(
    ("function", "center", "width", "value", "expected"),
    [
        # C.11.2.1.2.1, its own example: c 2048, w 4096 is ((x - 2047.5) / 4095 + 0.5)
        ("LINEAR", 2048, 4096, 0, 0.0),
        ("LINEAR", 2048, 4096, 4095, 1.0),
        ("LINEAR", 2048, 4096, 1000, 1000 / 4095),
        # its second example: c 0, w 100 is 0 up to -50, 1 above 49, ((x + 0.5) / 99 + 0.5) between
        ("LINEAR", 0, 100, -50, 0.0),
        ("LINEAR", 0, 100, 49, 1.0),
        ("LINEAR", 0, 100, 0, 0.5 / 99 + 0.5),
        # its third: c 0, w 1 is a step between -1 and 0
        ("LINEAR", 0, 1, -1, 0.0),
        ("LINEAR", 0, 1, 0, 1.0),
        # C.11.2.1.3.2: c 0, w 100 is ((x - 0) / 100 + 0.5)
        ("LINEAR_EXACT", 0, 100, -50, 0.0),
        ("LINEAR_EXACT", 0, 100, 50, 1.0),
        ("LINEAR_EXACT", 0, 100, 25, 0.75),
        ("LINEAR_EXACT", 10, 0.5, 10.125, 0.75),
        # C.11.2.1.3.1: 1 / (1 + exp(-4 (x - c) / w))
        ("SIGMOID", 40, 400, 40, 0.5),
        ("SIGMOID", 40, 400, 140, 1 / (1 + math.exp(-1))),
        ("SIGMOID", 40, 400, 1e9, 1.0),
    ],
)
def test_functions_give_the_values_of_the_standard(
    function: VoiFunction, center: float, width: float, value: float, expected: float
) -> None:
    shown = Window(center, width, function)(np.array([value], np.float64))
    assert shown[0] == pytest.approx(expected, abs=1e-12)


def window(center: object, width: object, function: str | None = None) -> Dataset:
    ds = image_object(gray(0, 1), WindowCenter=center, WindowWidth=width)
    if function:
        ds.VOILUTFunction = function
    return ds


def voi(ds: Dataset, frame: int = 0) -> object:
    found = read_voi_lut(ds, frame, signed=False)
    return None if found is None else found.voi


@pytest.mark.parametrize(
    ("width", "function", "tag"),
    [
        (0.5, "LINEAR", "0028,1051"),  # C.11.2.1.2.1: at least 1
        (0, None, "0028,1051"),
        (-5, "LINEAR", "0028,1051"),
        (0, "LINEAR_EXACT", "0028,1051"),  # C.11.2.1.3: above 0
        (-1, "SIGMOID", "0028,1051"),
        (10, "CUBIC", "0028,1056"),
    ],
)
def test_widths_and_functions_beyond_the_standard_name_their_tag(
    width: float, function: str | None, tag: str
) -> None:
    with pytest.raises(PixelError, match=tag):
        read_voi_lut(window(40, width, function), 0, signed=False)


def test_a_width_of_a_half_is_allowed_where_the_function_allows_it() -> None:
    assert voi(window(40, 0.5, "LINEAR_EXACT")) == Window(40.0, 0.5, "LINEAR_EXACT")


@pytest.mark.parametrize(
    ("explanations", "body_part", "expected", "by"),
    [
        (None, None, 450.0, "first"),
        (["WINDOW1", "WINDOW2"], "CHEST", 450.0, "first"),
        (["MEDIASTINUM", "LUNG"], "CHEST", 200.0, "explanation"),
        (["LUNG", "MEDIASTINUM"], "CHEST", 450.0, "explanation"),
        (["HARDER", "NORMAL"], None, 200.0, "explanation"),
        (["", "Normal"], "KNEE", 200.0, "explanation"),
        (["NORMAL"], "KNEE", 450.0, "explanation"),  # fewer explanations than windows
    ],
)
def test_of_several_windows_the_explanation_decides_else_the_first(
    explanations: list[str] | None, body_part: str | None, expected: float, by: str
) -> None:
    ds = window([450, 200], [790, 443])
    if explanations:
        ds.WindowCenterWidthExplanation = explanations
    found = read_voi_lut(ds, 0, signed=False, body_part=body_part)
    assert found is not None
    assert isinstance(found.voi, Window)
    assert (found.voi.center, found.alternative.by) == (expected, by)


def test_of_several_tables_the_explanation_decides() -> None:
    ds = window(1, 10)
    ds.VOILUTSequence = [
        with_items(LUTDescriptor=[2, 0, 8], LUTData=[0, last], LUTExplanation=name)[0]
        for last, name in ((51, "HARDER"), (255, "NORMAL"), (102, "SOFTER"))
    ]
    found = read_voi_lut(ds, 0, signed=False)
    assert found is not None
    assert found.voi(np.array([1.0])).tolist() == [1.0]
    assert (found.alternative.index, found.alternative.count) == (1, 3)


def test_more_centres_than_widths_count_as_pairs() -> None:
    found = read_voi_lut(window([450, 200, 7], [790, 443]), 0, signed=False)
    assert found is not None
    assert found.alternative.count == 2


@pytest.mark.parametrize(("center", "width"), [(40, None), (None, 400), (None, None)])
def test_half_a_window_is_no_window(center: object, width: object) -> None:
    assert voi(window(center, width)) is None


def test_windows_of_functional_groups_go_from_frame_to_shared_to_root() -> None:
    # C.7.6.16.2.10 Frame VOI LUT macro
    ds = window(1, 10)
    shared = with_items(WindowCenter=2, WindowWidth=20)
    own = with_items(WindowCenter=3, WindowWidth=30)
    assert voi(ds) == Window(1.0, 10.0)
    ds.SharedFunctionalGroupsSequence = with_items(FrameVOILUTSequence=shared)
    assert voi(ds) == Window(2.0, 20.0)
    ds.PerFrameFunctionalGroupsSequence = with_items(FrameVOILUTSequence=own)
    assert voi(ds) == Window(3.0, 30.0)
    assert voi(ds, 1) == Window(2.0, 20.0)
