"""Makes the samples of ``encoders.self_test``: ``python -m tests.encoders.make_samples FOLDER``.

Needs DCMTK's commands, and for JPEG 2000 and HTJ2K the package ``imagecodecs`` (OpenJPEG and
OpenJPH), which the project does without otherwise.
"""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

from encoders.self_test import sample_values

DCMTK = (
    ("dcmconv", "deflated", "+td"),
    ("dcmcrle", "rle"),
    ("dcmcjpeg", "jpeg_lossless", "+el", "+sv", "6"),
    ("dcmcjpeg", "jpeg_lossless_sv1", "+e1"),
    ("dcmcjpeg", "jpeg_extended", "+ee", "+q", "98"),
    ("dcmcjpls", "jpeg_ls", "+el"),
    ("dcmcjpls", "jpeg_ls_near", "+en", "+md", "3"),
)


def described(values: NDArray[Any], bits: int) -> Dataset:
    """A dataset of one uncompressed grayscale image."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.SOPClassUID, ds.SOPInstanceUID = uid.SecondaryCaptureImageStorage, "2.25.1"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = values.shape
    ds.BitsAllocated = values.dtype.itemsize * 8
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits - 1, 0
    ds.PixelData = values.tobytes()
    ds["PixelData"].VR = "OW" if bits > 8 else "OB"
    return ds


def save(ds: Dataset, path: Path, syntax: uid.UID) -> None:
    """Write a file in DICOM format."""
    ds.file_meta.TransferSyntaxUID = syntax
    ds.save_as(path, enforce_file_format=True)


def main(folder: Path) -> None:
    """Write all samples."""
    folder.mkdir(exist_ok=True)
    stored, eight = sample_values(12).astype(np.uint16), sample_values(8).astype(np.uint8)
    explicit, narrow = folder / "explicit.dcm", folder / "8_bits.dcm"
    save(described(stored, 12), explicit, uid.ExplicitVRLittleEndian)
    save(described(stored, 12), folder / "implicit.dcm", uid.ImplicitVRLittleEndian)
    save(described(stored.byteswap(), 12), folder / "big_endian.dcm", uid.ExplicitVRBigEndian)
    save(described(eight, 8), narrow, uid.ExplicitVRLittleEndian)
    for tool, name, *options in DCMTK:
        run(tool, *options, str(explicit), str(folder / f"{name}.dcm"))
    run("dcmcjpeg", "+eb", "+q", "98", str(narrow), str(folder / "jpeg_baseline.dcm"))
    narrow.unlink()
    for name, (syntax, frame) in wavelets(stored).items():
        ds = described(stored, 12)
        ds.PixelData = encapsulate([frame])
        save(ds, folder / f"{name}.dcm", syntax)


def run(tool: str, *arguments: str) -> None:
    """Run one of DCMTK's commands."""
    subprocess.run([tool, *arguments], check=True)


def wavelets(stored: NDArray[np.uint16]) -> dict[str, tuple[uid.UID, bytes]]:
    """JPEG 2000 and HTJ2K frames; OpenJPH's progression is RPCL unless told otherwise."""
    codecs = import_module("imagecodecs")
    jpeg_2000 = {"codecformat": "J2K", "bitspersample": 12, "resolutions": 3}
    return {
        "jpeg_2000": (
            uid.JPEG2000Lossless,
            codecs.jpeg2k_encode(stored, reversible=True, **jpeg_2000),
        ),
        "jpeg_2000_lossy": (uid.JPEG2000, codecs.jpeg2k_encode(stored, 70, **jpeg_2000)),
        "htj2k": (uid.HTJ2KLossless, codecs.htj2k_encode(stored, reversible=True)),
        "htj2k_rpcl": (
            uid.HTJ2KLosslessRPCL,
            codecs.htj2k_encode(stored, reversible=True, tlm=True),
        ),
        "htj2k_lossy": (uid.HTJ2K, codecs.htj2k_encode(stored, 0.0001, reversible=False)),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
