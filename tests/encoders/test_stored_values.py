"""Samples of a codestream against Bits Stored and Pixel Representation (PS3.5 8.2), by hand."""

from typing import Any

import numpy as np
import pytest
from jpeg_ls import encode_array
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless, RLELossless

from encoders.codestream import Codestream
from encoders.image import PixelError
from encoders.pixel_data import decode_frame, open_pixels
from encoders.stored_values import stored_values
from tests.encoders.objects import image_object


def described(bits_stored: int, *, signed: bool, allocated: int = 16) -> Dataset:
    ds = Dataset()
    ds.BitsAllocated, ds.BitsStored, ds.PixelRepresentation = allocated, bits_stored, int(signed)
    return ds


def read(
    samples: list[int], precision: int, ds: Dataset, *, lossy: bool = False
) -> NDArray[np.integer[Any]]:
    signed = min(samples) < 0
    kind = f"{'i' if signed else 'u'}{1 if precision <= 8 else 2}"
    stream = Codestream(1, len(samples), 1, precision, signed)
    return stored_values(np.array([samples], kind), stream, ds, lossy=lossy)


@pytest.mark.parametrize(
    ("samples", "precision", "ds", "expected"),
    [
        # as they are: the same precision, less, and a whole cell of 16 bits for 12
        ([0, 4095], 12, described(12, signed=False), [0, 4095]),
        ([0, 1023], 10, described(12, signed=False), [0, 1023]),
        ([0, 4095], 16, described(12, signed=False), [0, 4095]),
        ([0, 255], 8, described(12, signed=False), [0, 255]),
        ([-2048, 2047], 12, described(12, signed=True), [-2048, 2047]),
        ([-5, 5], 12, described(16, signed=True), [-5, 5]),
        # two's complement that the codestream calls unsigned: 2**12 - 1 is -1, 2**11 is -2**11
        ([4095, 2048, 2047], 12, described(12, signed=True), [-1, -2048, 2047]),
        ([65535, 63488, 2047], 16, described(12, signed=True), [-1, -2048, 2047]),
        ([65535, 32768, 32767], 16, described(16, signed=True), [-1, -32768, 32767]),
        # cells of 16 bits whose upper 4 are 0, as PS3.5 8.1.1 allows
        ([4095, 2048, 2047], 16, described(12, signed=True), [-1, -2048, 2047]),
        # all below 2**11: either reading says the same
        ([7, 2047], 12, described(16, signed=True), [7, 2047]),
    ],
)
def test_the_reading_within_the_declared_range_is_taken(
    samples: list[int], precision: int, ds: Dataset, expected: list[int]
) -> None:
    found = read(samples, precision, ds)
    assert found.tolist() == [expected]
    assert found.dtype == (np.int16 if ds.PixelRepresentation else np.uint16)


@pytest.mark.parametrize(
    ("samples", "precision", "ds", "reason"),
    [
        ([256], 12, described(8, signed=False), "contradict"),
        ([-1], 12, described(12, signed=False), "contradict"),
        ([4096], 16, described(12, signed=True), "contradict"),
        ([-2049], 16, described(12, signed=True), "contradict"),
        # 4095 of 16 bits and 4095 standing for -1 of 12: both are possible
        ([4095], 12, described(16, signed=True), "two readings"),
    ],
)
def test_what_contradicts_itself_is_refused(
    samples: list[int], precision: int, ds: Dataset, reason: str
) -> None:
    with pytest.raises(PixelError, match=rf"0028,0101.*0028,0103.*{reason}"):
        read(samples, precision, ds)


def test_lossy_overshoot_is_clipped_and_more_is_refused() -> None:
    """NEMA's RG3_JPLY: 10 bits stored, coded with 12, and 1024 among its values."""
    ten = described(10, signed=False)
    assert read([0, 1024, 1150], 12, ten, lossy=True).tolist() == [[0, 1023, 1023]]
    with pytest.raises(PixelError, match="contradict"):
        read([0, 1160], 12, ten, lossy=True)  # an eighth of 1023 is 127


def test_a_jpeg_ls_frame_of_signed_values_comes_out_signed() -> None:
    values = np.array([[-2048, -1, 0, 2047]] * 4, np.int16)
    ds = image_object(values, BitsStored=12, HighBit=11)
    ds.file_meta.TransferSyntaxUID = JPEGLSLossless
    ds.PixelData = encapsulate([bytes(encode_array(values.view(np.uint16) & 0x0FFF))])
    with open_pixels(ds) as pixels:
        np.testing.assert_array_equal(decode_frame(pixels, 0).values, values)
    assert (ds.BitsStored, ds.PixelRepresentation) == (12, 1)


@pytest.mark.parametrize("compressed", [False, True], ids=["native", "RLE"])
@pytest.mark.parametrize(
    ("cells", "signed", "expected"),
    [
        # PS3.5 8.1.1: bits above High Bit are no part of the value; overlays once lay there
        ([0xF7FF, 0x0FFF, 0x5001], False, [0x7FF, 0xFFF, 1]),
        ([0xF7FF, 0x0FFF, 0x5800], True, [2047, -1, -2048]),
    ],
)
def test_bits_above_the_high_bit_are_masked(
    cells: list[int], signed: bool, expected: list[int], compressed: bool
) -> None:
    ds = image_object(np.array([cells], np.uint16))
    if compressed:
        ds.compress(RLELossless)
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 12, 11, int(signed)
    with open_pixels(ds) as pixels:
        assert decode_frame(pixels, 0).values.tolist() == [expected]
