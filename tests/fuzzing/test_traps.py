"""Every file of the traps, through the processes that the node reads with, within its bounds."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.encoders.objects import SHARED, files, needs_shared
from tests.fuzzing.examiner import Examiner, Reference
from tests.fuzzing.faults import CPU_S, MEMORY
from tests.fuzzing.mutants import Mutant, Place, Recipe

pytestmark = [needs_shared, pytest.mark.shared_data]

NO_MODALITY = r"\(0008,0060\) Modality is missing"
NO_PIXELS = r"no pixels: Pixel Data \(7FE0,0010\) is missing"
FRAME_DEFLATED = r"no decoder for transfer syntax .*1\.2\.840\.10008\.1\.2\.8\.1"


@dataclass(frozen=True)
class Expected:
    """What is said of a trap; None where it is read.

    Attributes:
        header: why its header is refused, or its instance left out.
        pixels: why it has no image.
        because: what the trap is.
    """

    header: str | None
    pixels: str | None
    because: str


TRAPS = {
    "2017-06-27-XSSInjection.dcm": Expected(None, NO_PIXELS, "script in tags, and no pixels"),
    "2020-09-12-ELSCINT1-PMSCT_RLE1.dcm": Expected(
        "derived secondary image", NO_PIXELS, "private compression: pixels in (07A1,100A)"
    ),
    "2022-11-14-RLEPlanarConfiguration.dcm": Expected(
        "secondary capture", None, "RLE of three colour planes"
    ),
    "2026-05-26-oob-monochrome-46341.dcm": Expected(
        "secondary capture",
        r"\(0028,0010\) Rows 46341 x .* declare more than",
        "46341 x 46341 in 10 kB",
    ),
    "DummyCTInvalidRows.dcm": Expected(
        r"\(0028,0010\) Rows is missing or not positive", NO_PIXELS, "no Rows, and no pixels"
    ),
    "Issue56-NoPixelData.dcm": Expected(None, NO_PIXELS, "described, but without pixels"),
    "MultiframeWindowing.dcm": Expected(
        NO_MODALITY, r"\(0028,0002\) SamplesPerPixel is missing", "a head without a body"
    ),
    "SignedCT.dcm": Expected(None, None, "signed values"),
    "UnknownSopClassUid.dcm": Expected(
        "is not one that is embedded", None, "a SOP class that nobody knows"
    ),
    "WithEmptyPatientComments.dcm": Expected(None, None, "an empty element"),
    "bad_sequence.dcm": Expected("StudyInstanceUID .*no UID", None, "hashes where UIDs should be"),
    "emri_small_jpeg_2k_lossless_too_short.dcm": Expected(
        None, None, "the last eight bytes, a delimiter, are lost: all frames are whole"
    ),
    "liver_deflate.dcm": Expected("segmentation", FRAME_DEFLATED, "deflated frames, which are new"),
    "liver_nonbyte_aligned_rle.dcm": Expected(
        "segmentation", "RLE", "a segmentation of one bit in RLE"
    ),
    **{
        f"PatientIdsCollision/{name}.dcm": Expected(NO_MODALITY, NO_PIXELS, "nothing but names")
        for name in ("Image1", "Image2", "Image3", "Issue131-a", "Issue131-b")
    },
    **{
        f"encodings/Lena-{alphabet}.dcm": Expected(NO_MODALITY, None, "names in other alphabets")
        for alphabet in ("arabic", "greek", "shift-jis", "utf8")
    },
}


@pytest.fixture(scope="module")
def examiner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examiner]:
    with Examiner(tmp_path_factory.mktemp("traps")) as opened:
        yield opened


def test_every_trap_stands_in_the_table() -> None:
    there = {str(path.relative_to(SHARED / "traps")) for path in files("traps")}
    assert there == set(TRAPS)


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_ends_as_expected_and_within_bounds(examiner: Examiner, name: str) -> None:
    trap = Mutant(
        Recipe(name, "as it is", 0), (SHARED / "traps" / name).read_bytes(), Place.ANYWHERE
    )
    verdict = examiner.examine_file(trap, Reference())
    assert said(verdict.header, TRAPS[name].header)
    assert said(verdict.reason, TRAPS[name].pixels)
    assert verdict.findings == ()
    assert all(cost.cpu_s < CPU_S and cost.peak < MEMORY for cost in verdict.costs)


def said(reason: str | None, expected: str | None) -> bool:
    if reason is None or expected is None:
        return reason is expected
    return re.search(expected, reason) is not None
