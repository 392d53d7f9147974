"""The real images beside the checkout: encodings, series, traps."""

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from encoders.choice import Choice, choose_images
from encoders.grayscale import read_image
from encoders.header import HeaderError, ImageHeader
from encoders.image import PixelError
from tests.encoders.objects import SHARED, files, needs_shared

pytestmark = [needs_shared, pytest.mark.shared_data]

LOSSLESS = ("RLE", "JPLL", "JLSL", "J2KR")
SYNTAXES = files("syntaxes", "*.dcm")


def name(path: Path) -> str:
    return path.name


@pytest.mark.parametrize(
    "path", [path for path in SYNTAXES if path.stem.endswith(LOSSLESS)], ids=name
)
def test_lossless_encodings_give_one_picture(path: Path) -> None:
    plain = path.with_name(path.name.split("_")[0] + "_UNC.dcm")
    reference = plain if plain.exists() else path.with_name(path.name.split("_")[0] + "_JPLL.dcm")
    np.testing.assert_array_equal(read_image(path).pixels, read_image(reference).pixels)


@pytest.mark.parametrize(
    "path", [path for path in SYNTAXES if path.stem.endswith(("J2KI", "JLSN", "JPLY"))], ids=name
)
def test_lossy_encodings_give_nearly_the_same(path: Path) -> None:
    lossless = read_image(path.with_name(path.name.split("_")[0] + "_RLE.dcm")).pixels
    # CT2_J2KI holds 7 kB under an 80 HU window: .949, all others above .97
    assert np.corrcoef(read_image(path).pixels.ravel(), lossless.ravel())[0, 1] > 0.94


@pytest.mark.skipif(not shutil.which("dcmdjpeg"), reason="DCMTK's dcmdjpeg is not installed")
@pytest.mark.parametrize(
    # RG3's overshoots its 10 bits in places, where DCMTK wraps 1024 round to 0
    "path",
    [path for path in files("syntaxes", "*_JPLY.dcm") if path.stem != "RG3_JPLY"],
    ids=name,
)
def test_12_bit_jpeg_decodes_as_dcmtk_does(path: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.dcm"
    subprocess.run(["dcmdjpeg", str(path), str(plain)], check=True, capture_output=True)
    np.testing.assert_array_equal(read_image(path).pixels, read_image(plain).pixels)


def chosen(folder: str) -> Choice:
    return choose_images(
        ImageHeader.from_dataset(dcmread(path, stop_before_pixels=True)) for path in files(folder)
    )


@pytest.mark.parametrize(
    ("folder", "count", "axis", "expected"),
    # 60 slices from z -270 to -93 mm, 35 sagittal ones from x -81.6 to 81.6 mm
    [("series/ct_head_neck", 60, 2, None), ("series/mr_head_t1", 35, 0, 0.0)],
)
def test_middle_slices(folder: str, count: int, axis: int, expected: float | None) -> None:
    found = chosen(folder)
    positions = sorted(
        dcmread(path, stop_before_pixels=True).ImagePositionPatient[axis] for path in files(folder)
    )
    assert len(positions) == count
    assert len(found.chosen) == 1
    place = found.chosen[0].header.image_position
    assert place is not None
    assert place[axis] == pytest.approx(positions[(count - 1) // 2])
    assert expected is None or place[axis] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("path", files("traps"), ids=name)
def test_traps_end_in_a_reason_or_a_valid_image(path: Path) -> None:
    with suppress(HeaderError):
        ImageHeader.from_dataset(dcmread(path, stop_before_pixels=True))
    with suppress(PixelError):
        pixels = read_image(path).pixels
        assert pixels.dtype == np.float32
        assert 0 <= pixels.min() <= pixels.max() <= 1


@pytest.mark.parametrize(
    ("trap", "reason"),
    [
        ("2026-05-26-oob-monochrome-46341.dcm", "Rows 46341"),
        ("Issue56-NoPixelData.dcm", "7FE0,0010"),
        ("2020-09-12-ELSCINT1-PMSCT_RLE1.dcm", "7FE0,0010"),
        ("MultiframeWindowing.dcm", "0028,0002"),
        ("liver_deflate.dcm", r"no decoder for .* \(1\.2\.840\.10008\.1\.2\.8\.1\)"),
    ],
)
def test_traps_name_their_reason(trap: str, reason: str) -> None:
    with pytest.raises(PixelError, match=reason):
        read_image(SHARED / "traps" / trap)


def test_a_lost_end_of_sequence_loses_no_frame() -> None:
    # eight bytes short: the Sequence Delimitation Item, all frames are whole
    short = SHARED / "traps" / "emri_small_jpeg_2k_lossless_too_short.dcm"
    whole = SHARED / "formats" / "emri_small_jpeg_2k_lossless.dcm"
    for frame in range(10):
        found = read_image(short, frame).pixels
        np.testing.assert_array_equal(found, read_image(whole, frame).pixels)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
@pytest.mark.parametrize("path", [p for p in SYNTAXES if p.stem.startswith("CT1")], ids=name)
def test_a_file_cut_short_is_refused(path: Path, share: float, tmp_path: Path) -> None:
    cut = tmp_path / "cut.dcm"
    content = path.read_bytes()
    cut.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(PixelError):
        read_image(cut)


def test_the_same_image_from_memory_and_from_file() -> None:
    path = SHARED / "formats" / "emri_small_RLE.dcm"
    for frame in (0, 9):
        np.testing.assert_array_equal(
            read_image(path, frame).pixels, read_image(dcmread(path), frame).pixels
        )
