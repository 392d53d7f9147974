"""A main header that contradicts itself: byte offsets are those of ITU-T T.800 A.6.1 and A.6.4."""

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import JPEG2000Lossless

from encoders.codestream import read_codestream
from encoders.grayscale import read_image
from encoders.image import PixelError
from encoders.self_test import SAMPLES

SAMPLE = {sample.path.stem: sample.path for sample in SAMPLES}
COD, QCD = b"\xff\x52", b"\xff\x5c"


def codestream(name: str) -> bytearray:
    return bytearray(get_frame(dcmread(SAMPLE[name]).PixelData, 0, number_of_frames=1))


@pytest.mark.parametrize(
    ("name", "lossless"),
    [("jpeg_2000", True), ("htj2k", True), ("htj2k_rpcl", True), ("htj2k_lossy", False)],
)
def test_whether_it_was_coded_with_loss(name: str, lossless: bool) -> None:
    assert read_codestream(bytes(codestream(name))).lossless is lossless


@pytest.mark.parametrize("name", ["jpeg_2000", "htj2k", "htj2k_lossy"])
@pytest.mark.parametrize(
    ("marker", "offset", "value"),
    [
        (COD, 9, 17),  # decomposition levels: more than there are step sizes
        (COD, 13, None),  # transformation: the other one of 0 (9-7) and 1 (5-3)
        (QCD, 4, None),  # quantisation style: the other one of 0 (none) and 2 (expounded)
    ],
)
def test_contradictions_are_refused(
    name: str, marker: bytes, offset: int, value: int | None
) -> None:
    frame = codestream(name)
    at = frame.index(marker) + offset
    other = {0: 2, 2: 0} if marker == QCD else {0: 1, 1: 0}
    low = frame[at] & 0x1F
    frame[at] = value if value is not None else frame[at] - low + other[low]
    with pytest.raises(PixelError, match="contradict"):
        read_codestream(bytes(frame))


def test_a_lossy_codestream_under_a_lossless_syntax_is_refused(tmp_path: Path) -> None:
    ds = dcmread(SAMPLE["htj2k_lossy"])
    ds.file_meta.TransferSyntaxUID = JPEG2000Lossless
    ds.PixelData = encapsulate([bytes(codestream("htj2k_lossy"))])
    path = tmp_path / "lossy.dcm"
    ds.save_as(path, enforce_file_format=True)
    with pytest.raises(PixelError, match="coded with loss"):
        read_image(path)
