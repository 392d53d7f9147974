"""Compressed frames that lost bytes: no decoder may fill them up unseen.

The frames are those of the self-test, damaged at every byte. What a codestream cannot show (a
flipped bit that decodes to as many samples) is measured in docs, not tested here.
"""

from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame

from encoders.image import PixelError
from encoders.pixel_data import decode_frame, open_pixels
from encoders.run_lengths import check_run_lengths
from encoders.self_test import SAMPLES
from encoders.strict_jpeg import check_scan
from tests.encoders.objects import SHARED, image_object, needs_shared

EOI = b"\xff\xd9"
PATHS = {sample.path.stem: sample.path for sample in SAMPLES}
LOSSLESS_JPEG = ["jpeg_lossless", "jpeg_lossless_sv1"]
CODESTREAMS = [
    *("jpeg_baseline", "jpeg_extended", *LOSSLESS_JPEG, "jpeg_ls", "jpeg_ls_near"),
    *("jpeg_2000", "jpeg_2000_lossy", "htj2k", "htj2k_rpcl", "htj2k_lossy"),
]
Damage = Callable[[bytes, int], bytes]


@cache
def encoded(path: Path) -> tuple[Dataset, bytes, int, int]:
    """The object, its frame without padding, and where its coded data starts and ends."""
    ds = dcmread(path)
    frame = get_frame(ds.PixelData, 0, number_of_frames=1)
    if ds.file_meta.TransferSyntaxUID == uid.RLELossless:
        return ds, frame, 64, len(frame)
    frame = frame.rstrip(b"\0")
    scan, tile = frame.find(b"\xff\xda"), frame.find(b"\xff\x93")
    start = tile + 2 if frame.startswith(b"\xff\x4f") else scan + 10  # SOS of one component
    return ds, frame, start, len(frame) - 2


def decoded(ds: Dataset, frame: bytes) -> np.ndarray:
    ds.PixelData = encapsulate([frame])
    with open_pixels(ds) as pixels:
        return decode_frame(pixels, 0).values


def unlike(path: Path, damage: Damage, at: Iterator[int] | range) -> list[int]:
    """Offsets at which the damaged frame was decoded, and not to the true image."""
    ds, frame, *_ = encoded(path)
    true, found = decoded(ds, frame), []
    for offset in at:
        try:
            values = decoded(ds, damage(frame, offset))
        except PixelError:
            continue
        if not np.array_equal(values, true):
            found.append(offset)
    return found


@pytest.mark.parametrize("name", CODESTREAMS)
@pytest.mark.parametrize(
    "damage",
    [
        lambda frame, at: frame[:at] + EOI,
        lambda frame, at: frame[:at] + EOI + frame[at:],
    ],
    ids=["cut off and ended", "ended amid the data"],
)
def test_an_end_marker_anywhere_fills_nothing_up(name: str, damage: Damage) -> None:
    _, _, start, end = encoded(PATHS[name])
    assert unlike(PATHS[name], damage, range(start, end)) == []


@pytest.mark.parametrize(
    "name",
    [name for name in ["rle", *CODESTREAMS] if name not in ("jpeg_baseline", "jpeg_extended")],
)
@pytest.mark.parametrize("lost", [4, 16])
def test_lost_bytes_are_seen_wherever_they_lay(name: str, lost: int) -> None:
    _, _, start, end = encoded(PATHS[name])
    found = unlike(
        PATHS[name], lambda frame, at: frame[:at] + frame[at + lost :], range(start, end - lost)
    )
    assert found == []


@needs_shared
@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("syntaxes/CT1_JPLL.dcm", 0),
        ("syntaxes/MR1_JPLL.dcm", 0),
        ("syntaxes/MR1_RLE.dcm", 0),
        ("syntaxes/MR1_J2KR.dcm", 0),
        ("syntaxes/MR1_JLSN.dcm", 0),
        # DCT blocks find their step again: now and then as many of them are left as are due
        ("syntaxes/MR1_JPLY.dcm", 4),
        ("chest/chest_pa.dcm", 4),
    ],
)
def test_a_hundred_bytes_lost_from_a_real_image(path: str, allowed: int) -> None:
    _, _, start, end = encoded(SHARED / path)
    rng = Random(1)
    offsets = [rng.randrange(start, end - 100) for _ in range(20)]
    damage: Damage = lambda frame, at: frame[:at] + frame[at + 100 :]  # noqa: E731
    assert len(unlike(SHARED / path, damage, iter(offsets))) <= allowed


def jpeg(pixels: np.ndarray, **options: int | bool) -> bytes:
    coded = BytesIO()
    Image.fromarray(pixels).save(coded, "JPEG", **options)
    return coded.getvalue()


NOISE = np.random.default_rng(0).integers(0, 256, (48, 40, 3), np.uint8)


@pytest.mark.parametrize(
    "frame",
    [
        jpeg(NOISE[..., 0]),
        jpeg(NOISE[..., 0], restart_marker_blocks=3),
        jpeg(NOISE, subsampling=2),
        jpeg(NOISE, keep_rgb=True),
        jpeg(NOISE, progressive=True),
        jpeg(NOISE[..., 0]) + b"\0\0",
        jpeg(NOISE[..., 0])[:-2] + b"\xff\xff" + EOI,  # T.81 B.1.1.2: fill bytes before a marker
    ],
    ids=["grey", "restart markers", "YBR 4:2:0", "RGB", "progressive", "padded", "filled"],
)
def test_whole_jpegs_of_other_kinds_pass(frame: bytes) -> None:
    check_scan(frame)


@pytest.mark.parametrize("swapped", [b"\xff\xd5", b""], ids=["out of order", "lost"])
def test_restart_markers_are_followed(swapped: bytes) -> None:
    frame = jpeg(NOISE[..., 0], restart_marker_blocks=3)
    with pytest.raises(PixelError, match="damaged"):
        check_scan(frame.replace(b"\xff\xd2", swapped, 1))


def test_bytes_that_no_sample_needs_are_seen() -> None:
    frame = jpeg(NOISE[..., 0])
    with pytest.raises(PixelError, match=r"damaged.*before the scan ends|extraneous"):
        check_scan(frame[:-2] + b"\x55" * 4 + EOI)


def test_colour_without_loss_passes_and_is_judged() -> None:
    """T.81 Annex H by hand: three components of 1 x 1, all differences 0 of one code '0'."""
    components = b"".join(bytes([i, 0x11, 0]) for i in (1, 2, 3))
    frame = (
        b"\xff\xd8\xff\xc3\x00\x11\x08\x00\x01\x00\x01\x03" + components
        + b"\xff\xc4\x00\x14\x00\x01" + bytes(15) + b"\x00"
        + b"\xff\xda\x00\x0c\x03\x01\x00\x02\x00\x03\x00\x01\x00\x00"
    )  # fmt: skip
    check_scan(frame + b"\x1f" + EOI)
    with pytest.raises(PixelError, match="premature"):
        check_scan(frame + EOI)


def rle_frame(*segments: bytes) -> bytes:
    """PS3.5 G.5: the number of segments and their offsets, 16 in all, then the segments."""
    offsets = [64 + sum(map(len, segments[:i])) for i in range(len(segments))]
    header = np.array([len(segments), *offsets, *[0] * (15 - len(segments))], "<u4")
    return header.tobytes() + b"".join(segments)


@pytest.mark.parametrize(
    "segment",
    [
        b"\xfd\x07\x00\x01",  # 4 times 7, as they are 1: 5 bytes
        b"\x04abcde",
        b"\x80\xfd\x07\x00\x01",  # -128 does nothing
        b"\xfd\x07\x00\x01\x00\x00\x00",  # padded
    ],
)
def test_run_lengths_that_come_out_even_pass(segment: bytes) -> None:
    check_run_lengths(rle_frame(segment, segment), pixels=5, segments=2)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (rle_frame(b"\xfd\x07"), "segment 1 does not decode to the 5 bytes"),
        (rle_frame(b"\xfb\x07"), "segment 1"),  # 6 times 7
        (rle_frame(b"\x04abc"), "segment 1"),
        (rle_frame(b"\x04abcde\xfd\x07"), "segment 1"),
        (rle_frame(b"\x04abcde", b"\x04abcd"), "2 segments; 1 are due"),
        (rle_frame(b"\x04abcde")[:40], "40 bytes"),
        (rle_frame(b"\x04abcde").replace(b"\x40", b"\x20"), "segment 1"),
    ],
)
def test_run_lengths_that_do_not_are_refused(frame: bytes, reason: str) -> None:
    with pytest.raises(PixelError, match=reason):
        check_run_lengths(frame, pixels=5, segments=1)


def test_a_run_beyond_the_frame_is_refused_and_nothing_panics() -> None:
    """pylibjpeg-rle, written in Rust, panics past the last pixel."""
    ds = image_object(np.zeros((1, 5), np.uint8))
    ds.file_meta.TransferSyntaxUID = uid.RLELossless
    ds.PixelData = encapsulate([rle_frame(b"\xfd\x07\xfd\x09")])
    with pytest.raises(PixelError, match="segment 1"), open_pixels(ds) as pixels:
        decode_frame(pixels, 0)
