"""Uncompressed pixel data: every byte due, and none that is not."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from encoders.grayscale import read_image
from encoders.image import PixelError
from tests.encoders.objects import image_object, with_items, written

STORED = np.arange(1, 121, dtype=np.uint16).reshape(10, 12)
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]


def file_of(ds: Dataset, folder: Path, syntax: UID = ExplicitVRLittleEndian) -> Path:
    ds.file_meta.TransferSyntaxUID = syntax
    ds["PixelData"].VR = "OW"
    return written(ds, folder)


def pixel_bytes() -> bytes:
    return STORED.tobytes()


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.name)
@pytest.mark.parametrize("count", [2, 20, 240])
def test_bytes_put_into_the_pixels_are_refused(tmp_path: Path, syntax: UID, count: int) -> None:
    path = file_of(image_object(STORED), tmp_path, syntax)
    content = path.read_bytes()
    path.write_bytes(content[:-100] + b"\x11" * count + content[-100:])
    with pytest.raises(PixelError, match="follow the pixel data"):
        read_image(path)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.name)
@pytest.mark.parametrize("trailing", [False, True])
def test_bytes_lost_from_the_pixels_are_refused(
    tmp_path: Path, syntax: UID, trailing: bool
) -> None:
    ds = image_object(STORED)
    if trailing:  # Data Set Trailing Padding (PS3.10 7.2) could stand in for what was lost
        ds.add_new(0xFFFCFFFC, "OB", bytes(60))
    path = file_of(ds, tmp_path, syntax)
    content = path.read_bytes()
    path.write_bytes(content[:-200] + content[-180:])
    with pytest.raises(PixelError, match=r"truncated|follow the pixel data"):
        read_image(path)


def test_of_several_frames_bytes_lost_before_the_one_shown_are_refused(tmp_path: Path) -> None:
    path = file_of(image_object(np.stack([STORED] * 3)), tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:-700] + content[-680:])
    with pytest.raises(PixelError, match="700 of the 720 bytes"):
        read_image(path, 1)


@pytest.mark.parametrize(("keyword", "value"), [("Columns", 6), ("Rows", 9), ("Columns", 11)])
def test_a_size_that_the_pixels_contradict_is_refused(
    tmp_path: Path, keyword: str, value: int
) -> None:
    ds = image_object(STORED)
    setattr(ds, keyword, value)
    with pytest.raises(PixelError, match="one of them is wrong"):
        read_image(file_of(ds, tmp_path))


@pytest.mark.parametrize("spare", [0, 2, 18])
def test_less_than_a_row_or_column_too_many_is_let_pass(tmp_path: Path, spare: int) -> None:
    ds = image_object(STORED)
    ds.PixelData = pixel_bytes() + bytes(spare)
    expected = read_image(image_object(STORED)).pixels
    np.testing.assert_array_equal(read_image(file_of(ds, tmp_path)).pixels, expected)


def test_encapsulated_pixels_under_a_native_syntax_are_refused(tmp_path: Path) -> None:
    ds = image_object(STORED)
    ds.compress(RLELossless)
    path = written(ds, tmp_path)
    content = path.read_bytes().replace(
        RLELossless.encode() + b"\0", ExplicitVRLittleEndian.encode() + b"\0"
    )
    path.write_bytes(content)
    assert dcmread(path).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    with pytest.raises(PixelError, match=r"A\.4"):
        read_image(path)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.name)
def test_elements_may_follow_the_pixels(tmp_path: Path, syntax: UID) -> None:
    ds = image_object(STORED)
    ds.add_new(0xFFFAFFFA, "SQ", with_items(MACIDNumber=1))  # Digital Signatures Sequence
    ds.add_new(0xFFFCFFFC, "OB", bytes(16))
    assert read_image(file_of(ds, tmp_path, syntax)).pixels.shape == (10, 12)
