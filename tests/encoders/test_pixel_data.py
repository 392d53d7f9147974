"""Sizes, truncation and transfer syntaxes: refused with a reason before anything is allocated."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG2MPML,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from encoders.grayscale import read_image
from encoders.image import PixelError
from encoders.pixel_data import decode_frame, open_pixels
from tests.encoders.objects import gray, image_object, set_raw, written


def refused(ds: Dataset) -> str:
    with pytest.raises(PixelError) as caught:
        read_image(ds)
    return str(caught.value)


@pytest.mark.parametrize(
    ("keyword", "value", "tag"),
    [
        ("Rows", 65535, "0028,0010"),  # x 65535 columns
        ("Rows", 0, "0028,0010"),
        ("SamplesPerPixel", 2, "0028,0002"),
        ("BitsAllocated", 12, "0028,0100"),
        ("BitsStored", 17, "0028,0101"),
        ("BitsStored", 0, "0028,0101"),
        ("HighBit", 3, "0028,0102"),
        ("PixelRepresentation", 7, "0028,0103"),
        ("NumberOfFrames", -1, "0028,0008"),
    ],
)
def test_a_description_beyond_the_standard_names_its_tag(
    keyword: str, value: int, tag: str
) -> None:
    ds = image_object(gray(*range(4)))
    if value == 65535:
        ds.Columns = 65535
    setattr(ds, keyword, value)
    assert tag in refused(ds)


@pytest.mark.parametrize(
    "keyword",
    ["Rows", "Columns", "BitsAllocated", "BitsStored", "SamplesPerPixel", "PixelRepresentation"],
)
def test_a_missing_description_names_its_keyword(keyword: str) -> None:
    ds = image_object(gray(*range(4)))
    delattr(ds, keyword)
    assert keyword in refused(ds)


def test_rows_that_are_no_number_name_their_tag() -> None:
    ds = image_object(gray(0, 1))
    set_raw(ds, 0x00280010, "US", b"\x01")
    assert "0028,0010" in refused(ds)


@pytest.mark.parametrize("as_file", [True, False])
def test_truncated_pixel_data_is_refused(tmp_path: Path, as_file: bool) -> None:
    ds = image_object(np.zeros((10, 10), np.uint16))
    if as_file:
        path = written(ds, tmp_path)
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(PixelError, match="truncated: 180 of the 200 bytes"):
            read_image(path)
    else:
        ds.PixelData = ds.PixelData[:-20]
        assert "truncated: 180 of the 200 bytes" in refused(ds)


def test_elements_after_short_pixel_data_are_not_read_as_pixels(tmp_path: Path) -> None:
    ds = image_object(np.zeros((10, 10), np.uint16))
    ds.PixelData = ds.PixelData[:-20]
    ds.add_new(0xFFFCFFFC, "OB", b"\x7f" * 200)  # Data Set Trailing Padding
    with pytest.raises(PixelError, match="truncated"):
        read_image(written(ds, tmp_path))


def test_no_pixel_data(tmp_path: Path) -> None:
    ds = image_object(gray(0, 1))
    del ds.PixelData
    assert "7FE0,0010" in refused(ds)
    with pytest.raises(PixelError, match="7FE0,0010"):
        read_image(written(ds, tmp_path))


@pytest.mark.parametrize(
    "content", [b"", b"not DICOM at all", b"\0" * 128 + b"DICM" + b"\xff" * 60]
)
def test_what_is_no_dicom_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.dcm"
    path.write_bytes(content)
    with pytest.raises(PixelError, match=r"DICOM|missing"):
        read_image(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PixelError, match=r"absent\.dcm"):
        read_image(tmp_path / "absent.dcm")


def test_a_syntax_without_decoder_is_named() -> None:
    ds = image_object(gray(0, 1))
    ds.file_meta.TransferSyntaxUID = MPEG2MPML
    assert "MPEG2" in refused(ds)


def test_no_transfer_syntax_names_its_tag() -> None:
    ds = image_object(gray(0, 1))
    del ds.file_meta.TransferSyntaxUID
    assert "0002,0010" in refused(ds)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_uncompressed_syntaxes_give_the_same_values(tmp_path: Path, syntax: UID) -> None:
    stored = np.arange(12, dtype=np.uint16).reshape(3, 4) * 257
    ds = image_object(stored)
    ds.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        ds.PixelData = stored.astype(">u2").tobytes()
    ds["PixelData"].VR = "OW"
    with open_pixels(written(ds, tmp_path)) as pixels:
        assert decode_frame(pixels, 0).values.tolist() == stored.tolist()


def rle(stored: Any, **attributes: Any) -> Dataset:
    ds = image_object(stored, **attributes)
    ds.compress(RLELossless)
    return ds


def test_only_the_frame_asked_for_is_decoded(tmp_path: Path) -> None:
    ds = rle(np.array([[[1, 2]], [[3, 4]], [[5, 6]]], np.uint16))
    path = written(ds, tmp_path)
    with open_pixels(path) as pixels:
        assert decode_frame(pixels, 1).values.tolist() == [[3, 4]]
        assert "PixelData" not in pixels.ds


@pytest.mark.parametrize("kept", [3, 64, 70])
def test_truncated_run_lengths_are_refused(kept: int) -> None:
    ds = rle(np.arange(400, dtype=np.uint16).reshape(20, 20))
    frame = ds.PixelData[16:]  # item tags of the offset table and of the only fragment
    ds.PixelData = encapsulate([frame[:kept]])
    assert "RLE" in refused(ds)
