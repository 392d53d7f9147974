"""Which transfer syntaxes this machine decodes, proved by decoding one small image of each.

A decoder that is installed may still be broken, or built without what it needs; pydicom finds
out at the first image. The samples lie in ``samples``; ``tests/encoders/make_samples.py`` made
them with outside encoders, from values that a formula gives.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.uid import UID

from encoders.decodable import remedy
from encoders.image import PixelError
from encoders.pixel_data import PixelSource, decode_frame, open_pixels

_FOLDER = Path(__file__).parent / "samples"


@dataclass(frozen=True)
class Sample:
    """A file of one transfer syntax, and how far its decoded values may be from the formula's."""

    transfer_syntax: UID
    path: Path
    tolerance: int = 0


@dataclass(frozen=True)
class Unproved:
    """A transfer syntax that failed, why, and what to do."""

    transfer_syntax: UID
    reason: str
    remedy: str


@dataclass(frozen=True)
class SelfTest:
    """What was proved decodable, in the order we prefer it, and what was not."""

    proved: tuple[UID, ...]
    unproved: tuple[Unproved, ...]


def _sample(syntax: UID, name: str, tolerance: int = 0) -> Sample:
    return Sample(syntax, _FOLDER / f"{name}.dcm", tolerance)


# Uncompressed ones first, then lossless before lossy. Tolerances are in stored values of 12 bits,
# of 8 for JPEG baseline; near-lossless JPEG-LS was coded with NEAR = 3, which bounds it
SAMPLES: tuple[Sample, ...] = (
    _sample(uid.ExplicitVRLittleEndian, "explicit"),
    _sample(uid.ImplicitVRLittleEndian, "implicit"),
    _sample(uid.DeflatedExplicitVRLittleEndian, "deflated"),
    _sample(uid.ExplicitVRBigEndian, "big_endian"),
    _sample(uid.JPEGLSLossless, "jpeg_ls"),
    _sample(uid.JPEG2000Lossless, "jpeg_2000"),
    _sample(uid.HTJ2KLossless, "htj2k"),
    _sample(uid.HTJ2KLosslessRPCL, "htj2k_rpcl"),
    _sample(uid.RLELossless, "rle"),
    _sample(uid.JPEGLosslessSV1, "jpeg_lossless_sv1"),
    _sample(uid.JPEGLossless, "jpeg_lossless"),
    _sample(uid.JPEGLSNearLossless, "jpeg_ls_near", 3),
    _sample(uid.JPEG2000, "jpeg_2000_lossy", 16),
    _sample(uid.HTJ2K, "htj2k_lossy", 16),
    _sample(uid.JPEGBaseline8Bit, "jpeg_baseline", 4),
    _sample(uid.JPEGExtended12Bit, "jpeg_extended", 16),
)


def sample_values(bits_stored: int) -> NDArray[np.int64]:
    """What every sample holds: 24 rows r, 32 columns c, ``4rc + 30r + 14c`` of 12 bits.

    Not symmetric, so that a turned image fails; smooth, so that lossy coding keeps it. Of fewer
    bits the upper ones are taken.
    """
    row, column = np.mgrid[:24, :32]
    values: NDArray[np.int64] = 4 * row * column + 30 * row + 14 * column
    return values >> (12 - bits_stored)


def run_self_test(samples: Iterable[Sample] = SAMPLES) -> SelfTest:
    """Decode every sample by the way that received images take.

    Nothing is raised: a syntax that fails is left out and told with its reason.
    """
    proved, unproved = [], []
    for sample in samples:
        syntax = sample.transfer_syntax
        try:
            _prove(sample)
            proved.append(syntax)
        except PixelError as error:
            unproved.append(Unproved(syntax, str(error), remedy(syntax)))
    return SelfTest(tuple(proved), tuple(unproved))


def _prove(sample: Sample) -> None:
    with open_pixels(sample.path) as pixels:
        if pixels.transfer_syntax != sample.transfer_syntax:
            raise PixelError(f"its sample is {pixels.transfer_syntax.name}")
        difference = _greatest_difference(pixels)
    if difference > sample.tolerance:
        raise PixelError(
            f"its sample is decoded wrongly: off by {difference}, {sample.tolerance} allowed"
        )


def _greatest_difference(pixels: PixelSource) -> int:
    found = decode_frame(pixels, 0).values.astype(np.int64)
    expected = sample_values(pixels.ds.BitsStored)
    if found.shape != expected.shape:
        raise PixelError(f"its sample is decoded to shape {found.shape}, not {expected.shape}")
    return int(np.abs(found - expected).max())
