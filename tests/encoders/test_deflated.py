"""Deflated data sets: read as far as needed, never beyond a bound (PS3.5 A.5)."""

import os
import subprocess
import sys
import zlib
from io import SEEK_CUR, SEEK_END, BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian

from encoders.deflated import InflatedFile, InflateError, read_header, read_to_pixels
from encoders.grayscale import read_image
from encoders.image import PixelError
from tests.encoders.objects import image_object, written

STORED = np.arange(12, dtype=np.uint16).reshape(3, 4) * 257


def deflated_file(folder: Path) -> Path:
    ds = image_object(STORED)
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    ds["PixelData"].VR = "OW"
    return written(ds, folder)


def packed(data: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=-15)  # raw deflate, no zlib header
    return packer.compress(data) + packer.flush()


def bomb(folder: Path, head: bytes, gigabytes: int) -> Path:
    """A file whose data set is ``head`` and then so many GiB of zeros."""
    packer = zlib.compressobj(9, wbits=-15)
    start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    # after a full flush the same megabyte gives the same kilobyte
    megabyte = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    path = deflated_file(folder)
    path.write_bytes(
        file_meta(path) + start + megabyte * (gigabytes << 10) + packer.flush(zlib.Z_FINISH)
    )
    return path


def file_meta(path: Path) -> bytes:
    """Preamble and meta information, measured by the group length at 140 (PS3.10 7.1)."""
    data = path.read_bytes()
    return data[: 144 + int.from_bytes(data[140:144], "little")]


# (0009,0010) UN of 4 GiB - 2 before anything else; and nothing but zeros, an endless (0000,0000)
UNKNOWN = b"\x09\x00\x10\x10UN\0\0\xfe\xff\xff\xff"


def test_a_header_is_read_and_its_meta_information_kept(tmp_path: Path) -> None:
    path = deflated_file(tmp_path)
    ds, whole = read_header(path), dcmread(path)
    assert ds.file_meta == whole.file_meta
    assert ds.Rows == 3
    assert "PixelData" not in ds


def test_a_header_needs_no_more_than_its_own_part(tmp_path: Path) -> None:
    path = deflated_file(tmp_path)
    whole = path.read_bytes()
    ds = image_object(np.random.default_rng(0).integers(0, 1 << 16, (512, 512), np.uint16))
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    ds["PixelData"].VR = "OW"
    long = written(ds, tmp_path).read_bytes()
    path.write_bytes(long[: len(long) // 2])
    assert len(whole) < 2000
    assert read_header(path).Columns == 512
    with pytest.raises(PixelError, match="truncated"):
        read_image(path)


def test_pixels_are_those_of_the_plain_object(tmp_path: Path) -> None:
    found = read_image(deflated_file(tmp_path))
    np.testing.assert_array_equal(found.pixels, read_image(image_object(STORED)).pixels)
    assert found.rules["transfer_syntax_uid"] == "1.2.840.10008.1.2.1.99"


def test_a_plain_file_is_left_as_it_is(tmp_path: Path) -> None:
    with written(image_object(STORED), tmp_path).open("rb") as file:
        ds, plain = read_to_pixels(file)
        assert plain is file
        assert file.read(4) == b"\xe0\x7f\x10\x00"
    assert ds.Rows == 3


def test_an_inflated_file_seeks_and_tells_as_others_do() -> None:
    data = bytes(range(256)) * 1000
    file = InflatedFile(BytesIO(packed(data)), at_most=1 << 20)
    head = file.seek(0, SEEK_END) - len(data)
    assert (file.readable(), file.seekable(), file.seek(head + 300)) == (True, True, head + 300)
    assert file.read(2) == data[300:302]
    assert (file.tell(), file.seek(-1, SEEK_CUR)) == (head + 302, head + 301)
    assert file.read() == data[301:]
    assert file.read(1) == b""


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (packed(bytes(5000))[:-3], "truncated"),
        (b"\xff" * 100, "damaged"),
        (b"", "truncated"),
        (packed(bytes(70_000)), "more than"),
    ],
)
def test_what_cannot_be_inflated_says_why(stream: bytes, reason: str) -> None:
    with pytest.raises(InflateError, match=reason):
        InflatedFile(BytesIO(stream), at_most=60_000).read()


def test_a_padding_byte_after_the_stream_is_passed_over() -> None:
    assert InflatedFile(BytesIO(packed(b"ab") + b"\0"), at_most=1 << 20).read()[-2:] == b"ab"


# VmHWM is the process's own; ru_maxrss starts with that of the process it was forked from
MEASURED = """
import re, sys, time
from pathlib import Path
from encoders.deflated import read_header
from encoders.elements import READ_ERRORS
from encoders.grayscale import read_image
from encoders.image import PixelError
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) >> 10
before, start = peak(), time.process_time()
try:
    {"header": read_header, "image": read_image}[sys.argv[1]](Path(sys.argv[2]))
except (PixelError, *READ_ERRORS) as error:
    print(peak() - before, time.process_time() - start, error)
"""


@pytest.mark.parametrize("reader", ["header", "image"])
@pytest.mark.parametrize("head", [UNKNOWN, b""], ids=["one element", "zeros"])
def test_a_bomb_of_4_gib_takes_no_memory(tmp_path: Path, reader: str, head: bytes) -> None:
    path = bomb(tmp_path, head, 4)
    assert path.stat().st_size < 5 << 20
    command = [sys.executable, "-c", MEASURED, reader, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60, env=environment
    )
    grown, seconds, reason = done.stdout.split(maxsplit=2)
    assert int(grown) < 64, done.stdout
    assert float(seconds) < 15, done.stdout  # 3 s on two quiet cores
    assert "more than 8 MiB" in reason


def test_pixel_data_that_declares_more_than_the_bound_is_refused(tmp_path: Path) -> None:
    ds = image_object(STORED)
    del ds.PixelData
    plain = written(ds, tmp_path)
    head = plain.read_bytes()[len(file_meta(plain)) :]
    path = bomb(tmp_path, head + b"\xe0\x7f\x10\x00OW\0\0\xfe\xff\xff\xff", 1)
    assert read_header(path).Rows == 3
    with pytest.raises(PixelError, match="256 MiB"):
        read_image(path)
