"""One line a branch of the pipeline: the clause, its formula, and pixels worked out by hand.

Each object goes through ``read_image`` as a file does. Details of a branch (limits, faults,
where an attribute may stand) are tested beside its module.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from pydicom.dataset import Dataset

from encoders.grayscale import read_image
from tests.encoders.objects import gray, image_object, with_items


class Golden(NamedTuple):
    """What one clause of the standard makes of stored values."""

    clause: str
    formula: str
    made: Callable[[], Dataset]
    expected: list[float]


def made(*values: int, **attributes: Any) -> Callable[[], Dataset]:
    return lambda: image_object(gray(*values), **attributes)


def window(center: float, width: float, function: str = "LINEAR_EXACT") -> dict[str, Any]:
    return {"WindowCenter": center, "WindowWidth": width, "VOILUTFunction": function}


def enhanced(per_frame: list[Dataset], shared: Dataset, *values: int) -> Callable[[], Dataset]:
    """The last of several frames of one row each, which all hold the same values."""

    def build() -> Dataset:
        ds = image_object(np.array([[values]] * len(per_frame), np.uint16))
        ds.PerFrameFunctionalGroupsSequence = per_frame
        ds.SharedFunctionalGroupsSequence = [shared]
        ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = 7, 7, "SIGMOID"  # to be overruled
        return ds

    return build


def group(**macros: Any) -> Dataset:
    """One item of functional groups: each macro a sequence of one item."""
    return with_items(**{name: with_items(**content) for name, content in macros.items()})[0]


def colour(samples: list[list[int]], photometric: str, dtype: Any) -> Callable[[], Dataset]:
    def build() -> Dataset:
        stored = np.array([samples], dtype)
        ds = image_object(stored[..., 0], SamplesPerPixel=3, PlanarConfiguration=0)
        ds.PhotometricInterpretation = photometric
        ds.PixelData = stored.tobytes() + b"\0" * (stored.nbytes % 2)
        return ds

    return build


def ybr_422(*stored: int) -> Callable[[], Dataset]:
    def build() -> Dataset:
        ds = image_object(np.zeros((1, len(stored) // 2), np.uint8), SamplesPerPixel=3)
        ds.PhotometricInterpretation, ds.PlanarConfiguration = "YBR_FULL_422", 0
        ds.PixelData = bytes(stored)
        return ds

    return build


def palette(first: int, *red: int, indices: tuple[int, ...]) -> Callable[[], Dataset]:
    """A palette of red alone; 16 bits an entry."""

    def build() -> Dataset:
        ds = image_object(np.array([indices], np.uint8), PhotometricInterpretation="PALETTE COLOR")
        for name, entries in (("Red", red), ("Green", (0,) * len(red)), ("Blue", (0,) * len(red))):
            setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [len(red), first, 16])
            data = np.array(entries, "<u2").tobytes()
            setattr(ds, f"{name}PaletteColorLookupTableData", data)
        return ds

    return build


RESCALE = {"RescaleSlope": 2, "RescaleIntercept": -1000}
TO_HUNDRED = window(50, 100)
STEPS = [Dataset(), group(FrameVOILUTSequence=window(0, 2000))]

GOLDEN = [
    Golden(
        "C.11.1.1.2 Rescale",
        "2 SV - 1000, then (x - 0) / 2000 + 0.5",
        made(0, 250, 500, 1000, **RESCALE, **window(0, 2000)),
        [0.0, 0.25, 0.5, 1.0],
    ),
    Golden(
        "C.11.1.1.1 Modality LUT Sequence",
        "entry of SV - 10, the first below, the last above; then x / 100",
        made(
            0,
            10,
            11,
            12,
            500,
            ModalityLUTSequence=with_items(LUTDescriptor=[3, 10, 16], LUTData=[20, 70, 100]),
            **TO_HUNDRED,
        ),
        [0.2, 0.2, 0.7, 1.0, 1.0],
    ),
    Golden(
        "C.7.6.16.2.9 Pixel Value Transformation, shared; C.7.6.16.2.10 Frame VOI LUT, per frame",
        "2 SV - 1000, then x / 2000 + 0.5",
        enhanced(STEPS, group(PixelValueTransformationSequence=RESCALE), 0, 250, 500, 1000),
        [0.0, 0.25, 0.5, 1.0],
    ),
    Golden(
        "C.7.6.16.2.9 per frame, C.7.6.16.2.10 shared",
        "4 SV of the second frame, then x / 100",
        enhanced(
            [
                group(PixelValueTransformationSequence={"RescaleSlope": slope})
                for slope in (1000, 4)
            ],
            group(FrameVOILUTSequence=TO_HUNDRED),
            *(0, 5, 25, 99),
        ),
        [0.0, 0.2, 1.0, 1.0],
    ),
    Golden(
        "C.7.5.1.1.2 Pixel Padding Value",
        "SV / 100, 0 where SV is 40",
        made(0, 39, 40, 41, 100, PixelPaddingValue=40, **TO_HUNDRED),
        [0.0, 0.39, 0.0, 0.41, 1.0],
    ),
    Golden(
        "C.7.5.1.1.2 Pixel Padding Range Limit",
        "SV / 100, 0 where SV is 40 to 60",
        made(39, 40, 50, 60, 61, PixelPaddingValue=40, PixelPaddingRangeLimit=60, **TO_HUNDRED),
        [0.39, 0.0, 0.0, 0.0, 0.61],
    ),
    Golden(
        "C.11.2.1.1 VOI LUT Sequence",
        "entry / (2^12 - 1)",
        made(
            0,
            5,
            6,
            9,
            VOILUTSequence=with_items(LUTDescriptor=[3, 5, 12], LUTData=[0, 819, 4095]),
        ),
        [0.0, 0.0, 0.2, 1.0],
    ),
    Golden(
        "C.11.2.1.2.1 LINEAR",
        "((x - (c - 0.5)) / (w - 1) + 0.5); c 2048, w 4096: (x - 2047.5) / 4095 + 0.5",
        made(0, 819, 4095, **window(2048, 4096, "LINEAR")),
        [0.0, 0.2, 1.0],
    ),
    Golden(
        "C.11.2.1.3.2 LINEAR_EXACT",
        "(x - c) / w + 0.5; c 50, w 100: x / 100",
        made(0, 20, 100, 101, **TO_HUNDRED),
        [0.0, 0.2, 1.0, 1.0],
    ),
    Golden(
        "C.11.2.1.3.1 SIGMOID",
        "1 / (1 + exp(-4 (x - c) / w)); c 50, w 100",
        made(0, 25, 50, 100, **window(50, 100, "SIGMOID")),
        [1 / (1 + math.exp(2)), 1 / (1 + math.exp(1)), 0.5, 1 / (1 + math.exp(-2))],
    ),
    Golden(
        "C.11.2.1.2 several windows",
        "no explanation: the first, x / 100",
        made(0, 20, WindowCenter=[50, 500], WindowWidth=[100, 1000], VOILUTFunction="LINEAR_EXACT"),
        [0.0, 0.2],
    ),
    Golden(
        "C.7.6.3.1.2 MONOCHROME1",
        "1 - x / 100, after VOI",
        made(0, 20, 100, PhotometricInterpretation="MONOCHROME1", **TO_HUNDRED),
        [1.0, 0.8, 0.0],
    ),
    Golden(
        "C.8.11.3.1.2 Presentation LUT Shape INVERSE",
        "1 - x / 100, once",
        made(
            0,
            20,
            100,
            PhotometricInterpretation="MONOCHROME1",
            PresentationLUTShape="INVERSE",
            **TO_HUNDRED,
        ),
        [1.0, 0.8, 0.0],
    ),
    Golden(
        "C.7.6.3.1.2 RGB",
        "(0.299 R + 0.587 G + 0.114 B) / 255",
        colour([[255, 0, 0], [0, 255, 0], [0, 0, 255], [51, 51, 51]], "RGB", np.uint8),
        [0.299, 0.587, 0.114, 0.2],
    ),
    Golden(
        "C.7.6.3.1.2 RGB of 16 bits",
        "(0.299 R + 0.587 G + 0.114 B) / 65535",
        colour([[65535, 0, 0], [13107, 13107, 13107]], "RGB", np.uint16),
        [0.299, 0.2],
    ),
    Golden(
        "C.7.6.3.1.2 YBR_FULL",
        "Y / 255 where CB and CR are 128",
        colour([[255, 128, 128], [51, 128, 128], [0, 128, 128]], "YBR_FULL", np.uint8),
        [1.0, 0.2, 0.0],
    ),
    Golden(
        "C.7.6.3.1.2 YBR_FULL_422",
        "two Y, then the CB and CR that both share: Y / 255",
        ybr_422(255, 51, 128, 128, 0, 102, 128, 128),
        [1.0, 0.2, 0.0, 0.4],
    ),
    Golden(
        "C.7.6.3.1.5 PALETTE COLOR",
        "0.299 of the red entry of index - 2 over 65535, the first below, the last above",
        palette(2, 0, 13107, 65535, indices=(0, 2, 3, 4, 9)),
        [0.0, 0.0, 0.299 * 0.2, 0.299, 0.299],
    ),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.clause)
def test_pixels_are_those_of_the_standard(golden: Golden) -> None:
    ds = golden.made()
    last = int(ds.get("NumberOfFrames", 1)) - 1
    shown = read_image(ds, last).pixels
    assert shown.dtype == np.float32
    assert shown[0].tolist() == pytest.approx(golden.expected, abs=1e-6), golden.formula
