"""The windowed image beside the one that DCMTK makes of the same file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

from encoders.grayscale import read_image
from encoders.image import GrayscaleImage
from encoders.pixel_data import decode_frame, open_pixels
from tests.encoders.dcmtk import (
    JPEG_2000,
    command_of,
    needs_dcmtk,
    shown,
    window_options,
    without_jpeg_2000,
)
from tests.encoders.objects import SHARED, files, needs_shared
from tests.telling import tell

pytestmark = [needs_shared, needs_dcmtk, pytest.mark.shared_data]

ONE_LEVEL = 1 + 1e-3  # DCMTK cuts fractions off, and so may be nearly one level lower
FINE_LEVEL = 1 / 257 + 1e-3  # the same of 16 bits, in levels of 8

OVERSHOOTING = "RG3_JPLY.dcm"
REMARKS = {
    OVERSHOOTING: "left out: lossy overshoot to 1024, over 10 bits, where DCMTK wraps round to 0",
    "eCT_Supplemental.dcm": (
        "gray of all values; neither of us colours those from 1024 on (PS3.3 C.8.16.2.1.1.1)"
    ),
}


@dataclass(frozen=True)
class Case:
    """One frame, by index from 0, of a file."""

    path: Path
    frame: int

    def __str__(self) -> str:
        return f"{self.path.relative_to(SHARED)}:{self.frame + 1}"


@dataclass(frozen=True)
class Verdict:
    """What came of one case; differences are in grey levels from 0 to 255.

    Attributes:
        rule: which rules fired in our pipeline, with their numbers.
        judge: the command and options that DCMTK was run with, and who decoded for it.
        greatest: greatest difference of any pixel.
        over_half: share of the pixels whose difference is over 0.5.
        fine: greatest difference from DCMTK's picture of 16 bits; None for colour of
            8 bits, of which DCMTK makes gray of 8 bits.
        left_out: pixels that were not compared.
    """

    case: Case
    rule: str
    judge: str
    greatest: float
    over_half: float
    fine: float | None
    left_out: int


def frames_of(path: Path) -> list[int]:
    """The first, middle and last frame."""
    count = int(dcmread(path, stop_before_pixels=True).get("NumberOfFrames") or 1)
    return sorted({0, (count - 1) // 2, count - 1})


CASES = [
    Case(path, frame)
    for folder in ("syntaxes", "formats", "chest", "ct_slices")
    for path in files(folder, "*.dcm")
    for frame in frames_of(path)
]

Judge = Callable[[Case], Verdict]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """Judges each case once, and remembers."""
    return cache(partial(judged, folder=tmp_path_factory.mktemp("dcmtk")))


def judged(case: Case, *, folder: Path) -> Verdict:
    ds = dcmread(case.path, stop_before_pixels=True)
    image = read_image(case.path, case.frame)
    options = window_options(ds, image)
    syntax, path = ds.file_meta.TransferSyntaxUID, case.path
    told = [command_of(syntax), *options]
    if syntax in JPEG_2000:
        path, told = without_jpeg_2000(path, folder), ["GDCM,", *told]
    kept = compared(case)
    ours = image.pixels[kept] * 255.0
    apart = np.abs(ours - shown(path, case.frame, options, folder)[kept])
    fine = None
    if "colour" not in image.rules or ds.BitsStored > 8:
        fine = np.abs(ours - shown(path, case.frame, options, folder, bits=16)[kept]).max()
    return Verdict(
        case=case,
        rule=rule_of(image),
        judge=" ".join(told),
        greatest=float(apart.max()),
        over_half=float((apart > 0.5).mean()),
        fine=None if fine is None else float(fine),
        left_out=int((~kept).sum()),
    )


def compared(case: Case) -> NDArray[np.bool_]:
    """True for each pixel that is compared: of OVERSHOOTING those below the top of its 10 bits."""
    with open_pixels(case.path) as pixels:
        stored = decode_frame(pixels, case.frame).values
    if case.path.name != OVERSHOOTING:
        return np.ones(stored.shape[:2], np.bool_)
    kept: NDArray[np.bool_] = stored < 1023
    return kept


def rule_of(image: GrayscaleImage) -> str:
    rules = image.rules
    if "colour" in rules:
        return str(rules["colour"])
    told = [str(rules["voi"])]
    if "window_center" in rules:
        window = (rules["window_center"], rules["window_width"])
        told.append("{} {:g}/{:g}".format(rules["voi_function"], *window))
    if "rescale_slope" in rules:
        told.append(f"rescale {rules['rescale_slope']:g}, {rules['rescale_intercept']:g}")
    elif rules["modality_lut"] != "identity":
        told.append(str(rules["modality_lut"]))
    return "; ".join((*told, "inverted") if rules["inverted"] else told)


def table(verdicts: Sequence[Verdict]) -> str:
    head = ("file:frame", "rule", "judge", "max diff", "over 0.5", "16 bits", "remark")
    rows = [head, *map(cells, verdicts)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)


def cells(verdict: Verdict) -> tuple[str, ...]:
    return (
        str(verdict.case),
        verdict.rule,
        verdict.judge,
        f"{verdict.greatest:.4f}",
        f"{verdict.over_half:.1%}",
        "" if verdict.fine is None else f"{verdict.fine:.4f}",
        f"{verdict.left_out or ''} {REMARKS.get(verdict.case.path.name, '')}".strip(),
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_ours_lies_within_one_grey_level(case: Case, judge: Judge) -> None:
    assert judge(case).greatest <= ONE_LEVEL


@pytest.mark.parametrize("case", CASES, ids=str)
def test_of_16_bits_it_is_a_257th_of_that(case: Case, judge: Judge) -> None:
    fine = judge(case).fine
    assert fine is None or fine <= FINE_LEVEL


def test_every_file_is_judged(judge: Judge, capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = [judge(case) for case in CASES]
    tell(capsys, table(verdicts))
    left_out = {verdict.case.path.name: verdict.left_out for verdict in verdicts}
    assert {name: count for name, count in left_out.items() if count} == {OVERSHOOTING: 8}
