"""The self-test: what it proves, and that a syntax whose sample fails drops out with its reason."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, uid
from pydicom.uid import UID

from encoders.self_test import SAMPLES, Sample, run_self_test, sample_values

LOSSLESS = {
    "dcmconv": ("deflated", "implicit", "big_endian"),
    "dcmdrle": ("rle",),
    "dcmdjpeg": ("jpeg_lossless", "jpeg_lossless_sv1"),
    "dcmdjpls": ("jpeg_ls",),
}
BY_NAME = {sample.path.stem: sample for sample in SAMPLES}


def test_every_transfer_syntax_is_proved_here() -> None:
    tested = run_self_test()
    assert tested.unproved == ()
    assert tested.proved == tuple(sample.transfer_syntax for sample in SAMPLES)


def test_uncompressed_syntaxes_come_first_and_lossless_before_lossy() -> None:
    found = run_self_test().proved
    assert found[0] == uid.ExplicitVRLittleEndian
    assert len(set(found)) == len(found) == 16
    assert found.index(uid.JPEG2000Lossless) < found.index(uid.JPEG2000)


@pytest.mark.parametrize(
    ("bits", "at", "value"),
    [(12, (0, 0), 0), (12, (1, 2), 66), (12, (2, 1), 82), (12, (23, 31), 3976), (8, (23, 31), 248)],
)
def test_the_formula_of_the_samples(bits: int, at: tuple[int, int], value: int) -> None:
    assert sample_values(bits)[at] == value


@pytest.mark.parametrize(
    ("tool", "name"), [(tool, name) for tool, names in LOSSLESS.items() for name in names]
)
def test_dcmtk_decodes_the_lossless_samples_to_the_formula(
    tool: str, name: str, tmp_path: Path
) -> None:
    command = shutil.which(tool, path="/usr/bin")
    if command is None:
        pytest.skip(f"DCMTK's {tool} is not installed")
    plain, options = tmp_path / "plain.dcm", ["+te"] if tool == "dcmconv" else []
    subprocess.run([command, *options, str(BY_NAME[name].path), str(plain)], check=True)
    stored = np.frombuffer(dcmread(plain).PixelData, "<u2").reshape(24, 32)
    np.testing.assert_array_equal(stored, sample_values(12))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.path.stem)
def test_samples_are_small_and_of_the_syntax_they_stand_for(sample: Sample) -> None:
    assert sample.path.stat().st_size < 2048
    meta = dcmread(sample.path, stop_before_pixels=True).file_meta
    assert meta.TransferSyntaxUID == sample.transfer_syntax


def broken(name: str, folder: Path, content: bytes) -> Sample:
    """A sample with one byte string zeroed."""
    path = folder / f"{name}.dcm"
    path.write_bytes(BY_NAME[name].path.read_bytes().replace(content, bytes(len(content))))
    return Sample(BY_NAME[name].transfer_syntax, path)


@pytest.mark.parametrize(
    ("syntax", "name", "reason"),
    [
        (uid.JPEGLSLossless, "absent", "cannot be opened"),
        (uid.JPEGLSLossless, "rle", "its sample is RLE Lossless"),
        (uid.JPEGLSNearLossless, "jpeg_ls_near", "off by 3, 0 allowed"),
    ],
)
def test_a_sample_that_proves_nothing(syntax: UID, name: str, reason: str) -> None:
    path = SAMPLES[0].path.with_stem(name)
    tested = run_self_test([SAMPLES[0], Sample(syntax, path)])
    assert tested.proved == (uid.ExplicitVRLittleEndian,)
    (failed,) = tested.unproved
    assert failed.transfer_syntax == syntax
    assert reason in failed.reason


def test_a_decoder_that_gives_up_is_told_with_its_remedy(tmp_path: Path) -> None:
    (failed,) = run_self_test([broken("jpeg_lossless_sv1", tmp_path, b"\xff\xd9")]).unproved
    assert "FFD9" in failed.reason
    assert failed.remedy.startswith("pip install --force-reinstall python-gdcm simplejpeg")


def test_an_image_of_another_size_proves_nothing(tmp_path: Path) -> None:
    ds = dcmread(BY_NAME["explicit"].path)
    ds.Rows, ds.Columns = ds.Columns, ds.Rows
    ds.save_as(tmp_path / "turned.dcm")
    (failed,) = run_self_test(
        [Sample(uid.ExplicitVRLittleEndian, tmp_path / "turned.dcm")]
    ).unproved
    assert "shape (32, 24), not (24, 32)" in failed.reason
