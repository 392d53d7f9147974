"""The polarity flag: hand-made images, its symmetries, and the real images beside the checkout."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from encoders.grayscale import read_image
from encoders.polarity import PolarityEvidence, measure_polarity
from tests.encoders.objects import SHARED, files, needs_shared

Pixels = NDArray[np.float32]

NONE = PolarityEvidence(0.0, suspect=False)
EIGHT_BITS = arrays(np.uint8, (32, 32), elements=st.integers(0, 255))


def upright(scale: int = 1) -> Pixels:
    """A bright middle of half the width, gray around it, and black corners of a quarter."""
    image = np.full((32, 32), 0.5, np.float32)
    image[8:24, 8:24] = 1
    for rows in (slice(8), slice(24, 32)):
        image[rows, :8] = image[rows, 24:] = 0
    return image.repeat(scale, axis=0).repeat(scale, axis=1)


def displayed(stored: NDArray[np.uint8]) -> Pixels:
    return stored.astype(np.float32) / np.float32(255)


def picture(name: str) -> Pixels:
    with Image.open(SHARED.parent / name) as opened:
        return displayed(np.asarray(opened.convert("L")))


@pytest.mark.parametrize("scale", [1, 3, 16])
def test_value_by_hand(scale: int) -> None:
    # corners are 8.5/16 to 15.5/16 off each middle line, the middle 0.5/16 to 7.5/16: the smaller
    # of two such distances is 8/16 greater in the corners, whatever its mean
    assert measure_polarity(upright(scale)) == PolarityEvidence(0.5, suspect=False)
    assert measure_polarity(1 - upright(scale)) == PolarityEvidence(-0.5, suspect=True)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (7, 7), (8, 8), (33, 65), (512, 512)])
def test_a_constant_image_is_no_evidence(shape: tuple[int, int], level: float) -> None:
    assert measure_polarity(np.full(shape, level, np.float32)) == NONE


@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (2000, 1), (2, 2), (7, 512)])
def test_a_tiny_image_is_no_evidence(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).random(shape, dtype=np.float32)
    assert measure_polarity(noise) == NONE


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_markers_on_an_empty_image_are_no_evidence(level: float) -> None:
    image = np.full((64, 64), level, np.float32)
    image[2:14, 2:14] = image[50:62, 50:62] = 1 - level
    assert measure_polarity(image) == NONE


@given(EIGHT_BITS)
def test_inverting_changes_the_sign(stored: NDArray[np.uint8]) -> None:
    value = measure_polarity(displayed(stored)).value
    assert -1 <= value <= 1
    # both are rounded to four digits
    assert measure_polarity(displayed(255 - stored)).value == pytest.approx(-value, abs=1.1e-4)


@given(EIGHT_BITS, st.integers(1, 3), st.booleans())
def test_turning_and_mirroring_change_nothing(
    stored: NDArray[np.uint8], quarters: int, mirrored: bool
) -> None:
    image = displayed(stored)
    other = np.rot90(image[::-1] if mirrored else image, quarters)
    value = measure_polarity(image).value
    assert measure_polarity(other).value == pytest.approx(value, abs=1.1e-4)


@pytest.mark.parametrize("sides", [((0, 0), (64, 64)), ((32, 32), (32, 32)), ((40, 40), (20, 40))])
def test_white_collimation_raises_no_flag(sides: tuple[tuple[int, int], tuple[int, int]]) -> None:
    # the whole says negative (white lies outside), the field says upright: no evidence
    assert measure_polarity(np.pad(upright(2), sides, constant_values=1)) == NONE


def test_the_weaker_of_whole_and_field_counts() -> None:
    # with the frame the sides are black too, which lie less far off the middle lines
    framed = np.pad(upright(2), ((16, 16), (32, 32)))
    value = measure_polarity(framed).value
    assert 0 < value < measure_polarity(upright(2)).value
    assert measure_polarity(1 - framed).value == -value


@pytest.mark.parametrize("frame", [0.0, 1.0])
def test_a_thin_frame_hides_no_negative(frame: float) -> None:
    negative = np.pad(1 - upright(16), 8, constant_values=frame)
    assert measure_polarity(negative).suspect


@pytest.mark.parametrize("written", [0.0, 1.0])
def test_padding_is_left_out(written: float) -> None:
    image, padded = 1 - upright(8), np.zeros((256, 256), np.bool_)
    padded[:64, :64] = padded[200:] = True
    image[padded] = written
    left = np.where(padded, np.float32(0.5), image)
    assert measure_polarity(image, padded) == measure_polarity(left, padded)
    assert measure_polarity(image, padded).suspect


def test_nothing_but_padding_is_no_evidence() -> None:
    assert measure_polarity(1 - upright(), np.ones((32, 32), np.bool_)) == NONE


def test_the_image_is_left_as_it_was() -> None:
    image = 1 - upright(4)
    image.setflags(write=False)
    assert measure_polarity(image).suspect


@needs_shared
@pytest.mark.shared_data
@pytest.mark.parametrize(
    "path",
    [*files("chest"), *files("ct_slices"), *files("syntaxes", "*_RLE.dcm")],
    ids=lambda path: path.name,
)
def test_no_real_image_is_flagged(path: Path) -> None:
    assert not measure_polarity(read_image(path).pixels).suspect


@needs_shared
@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["chest/chest_pa.dcm", "syntaxes/CT1_RLE.dcm"])
def test_their_negatives_are(name: str) -> None:
    assert measure_polarity(1 - read_image(SHARED / name).pixels).suspect


@needs_shared
@pytest.mark.shared_data
@pytest.mark.parametrize(
    # collections hold a few negatives unmarked: seen by eye to have white air and dark bone
    "name",
    ["cxr/images/nih-00017999_000.png", "multi/kneexr_oa/9566704L.png"],
)
def test_negatives_in_public_collections_are_found(name: str) -> None:
    assert measure_polarity(picture(name)).suspect
    assert not measure_polarity(1 - picture(name)).suspect
