"""DCMTK as an outside judge: the picture that its own commands make of an image."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread, uid
from pydicom.dataset import Dataset

from encoders.image import GrayscaleImage

needs_dcmtk = pytest.mark.skipif(
    not (shutil.which("dcmj2pnm") and shutil.which("dcml2pnm")),
    reason="DCMTK's dcmj2pnm and dcml2pnm are not installed",
)

JPEG_2000 = (*uid.JPEG2000TransferSyntaxes, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)
"""What no command of DCMTK decodes."""


def command_of(transfer_syntax: str) -> str:
    """The command that reads a transfer syntax: dcml2pnm for JPEG-LS, else dcmj2pnm."""
    return "dcml2pnm" if transfer_syntax in uid.JPEGLSTransferSyntaxes else "dcmj2pnm"


def window_options(ds: Dataset, image: GrayscaleImage) -> list[str]:
    """Options that window as our rules say they did; of colour DCMTK makes gray, unwindowed.

    DCMTK knows no LINEAR_EXACT. Its formula with centre c and width w (PS3.3 C.11.2.1.3.2) is
    that of LINEAR with c + 0.5 and w + 1 (PS3.3 C.11.2.1.2.1).
    """
    rules: dict[str, Any] = dict(image.rules)
    if "colour" in rules:
        return ["+G"]
    if rules["voi"] == "VOI LUT Sequence":
        return ["+Wl", str(rules.get("voi_number", 1))]
    center, width, function = (
        rules[key] for key in ("window_center", "window_width", "voi_function")
    )
    if function != "LINEAR_EXACT" and (center, width) in _windows(ds):
        return ["+Wi", str(_windows(ds).index((center, width)) + 1)]
    if function == "LINEAR_EXACT":
        center, width = center + 0.5, width + 1
    # not among the windows at the root: from a functional group, or our own for lack of one
    return ["+Wfs" if function == "SIGMOID" else "+Wfl", "+Ww", f"{center:g}", f"{width:g}"]


def shown(
    path: Path, frame: int, options: Sequence[str], folder: Path, *, bits: int = 8
) -> NDArray[np.float64]:
    """One frame as DCMTK shows it without overlays, in grey levels from 0 to 255.

    Args:
        path: a file of a transfer syntax that DCMTK reads.
        frame: index from 0.
        options: of ``window_options``.
        folder: where the picture may be written.
        bits: 8 or 16 for each pixel; 16 are scaled to fractions of 8.

    Returns:
        float64, shape (rows, columns).
    """
    command = command_of(dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID)
    picture = folder / "picture"
    written_as = ["+op"] if bits == 8 else ["-il", "+on2"]
    selected = ["-O", "+F", str(frame + 1), *options]
    subprocess.run(
        [command, "-ll", "fatal", *selected, *written_as, str(path), str(picture)], check=True
    )
    with Image.open(picture) as opened:
        pixels: NDArray[np.float64] = np.asarray(opened) * (255 / (2**bits - 1))
    return pixels


def without_jpeg_2000(path: Path, folder: Path) -> Path:
    """The same object with its pixel data decoded by GDCM, not by a decoder that we use for it."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read(), f"GDCM cannot read {path.name}"
    ds = dcmread(path)
    # bytes, which GDCM's binding dresses as text
    ds.PixelData = reader.GetImage().GetBuffer().encode("utf-8", "surrogateescape")
    ds["PixelData"].VR = "OW" if ds.BitsAllocated > 8 else "OB"
    ds["PixelData"].is_undefined_length = False
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    if ds.SamplesPerPixel == 3:
        ds.PhotometricInterpretation, ds.PlanarConfiguration = "RGB", 0
    decoded = folder / "decoded.dcm"
    ds.save_as(decoded, enforce_file_format=True)
    return decoded


def _windows(ds: Dataset) -> list[tuple[float, float]]:
    def numbers(keyword: str) -> list[float]:
        found = ds.get(keyword)
        return [] if found is None else np.atleast_1d(np.asarray(found, float)).tolist()

    return list(zip(numbers("WindowCenter"), numbers("WindowWidth"), strict=True))
