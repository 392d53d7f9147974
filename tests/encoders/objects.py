"""DICOM objects made for the tests, and the real images beside the checkout."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from encoders.header import ImageHeader

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "dicom"

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the real images (shared/data) are not beside the checkout"
)

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def files(folder: str, pattern: str = "*") -> list[Path]:
    """Files of one folder of the real images, sorted; none where they are absent."""
    return sorted(path for path in (SHARED / folder).rglob(pattern) if path.is_file())


def image_object(stored: NDArray[Any], **attributes: Any) -> Dataset:
    """A dataset of one uncompressed grayscale frame, or several where ``stored`` has three axes."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    ds.SOPClassUID, ds.SOPInstanceUID, ds.SeriesInstanceUID = CTImageStorage, "1.2.3", "1.2"
    ds.Modality = "MR"
    ds.Rows, ds.Columns = stored.shape[-2:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = stored.dtype.itemsize * 8
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(stored.dtype.kind == "i")
    if stored.ndim == 3:
        ds.NumberOfFrames = len(stored)
    ds.PixelData = stored.tobytes()
    for keyword, item in attributes.items():
        setattr(ds, keyword, item)
    return ds


def with_items(**attributes: Any) -> Sequence:
    """A sequence of one item."""
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return Sequence([item])


def set_raw(ds: Dataset, tag: int, vr: str, value: bytes) -> None:
    """Put an element's bytes in as they would come from a file, valid or not."""
    ds[tag] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)


def written(ds: Dataset, folder: Path) -> Path:
    """The dataset as a file."""
    path = folder / "object.dcm"
    ds.save_as(path, enforce_file_format=True)
    return path


def header(uid: str = "1.1", **fields: Any) -> ImageHeader:
    """A CT slice's header, at the origin and axial unless said otherwise."""
    defaults: dict[str, Any] = {
        "sop_class_uid": str(CTImageStorage),
        "series_instance_uid": "1",
        "modality": "CT",
        "image_type": ("ORIGINAL", "PRIMARY", "AXIAL"),
        "rows": 4,
        "columns": 4,
        "image_position": (0.0, 0.0, 0.0),
        "image_orientation": AXIAL,
    }
    return ImageHeader(sop_instance_uid=uid, **{**defaults, **fields})


def axial_series(positions: list[float]) -> list[ImageHeader]:
    """Axial slices at z positions in mm, named 1.0, 1.1, ... in the order given."""
    return [header(f"1.{i}", image_position=(0.0, 0.0, z)) for i, z in enumerate(positions)]


def gray(*values: int) -> NDArray[np.uint16]:
    """A one-row image of unsigned 16-bit stored values."""
    return np.array([values], np.uint16)


Groups = dict[str, dict[str, Any]]
"""Functional groups of one frame: for each macro's sequence the attributes of its only item."""


def functional_groups(groups: Groups) -> Dataset:
    """An item of the Shared or Per-frame Functional Groups Sequence."""
    return with_items(**{name: with_items(**item) for name, item in groups.items()})[0]


def enhanced_object(
    stored: NDArray[Any], shared: Groups, frames: list[Groups], **attributes: Any
) -> Dataset:
    """An enhanced multi-frame dataset; ``stored`` has shape (frames, rows, columns)."""
    ds = image_object(stored, **attributes)
    ds.NumberOfFrames = len(frames)
    ds.SharedFunctionalGroupsSequence = Sequence([functional_groups(shared)])
    ds.PerFrameFunctionalGroupsSequence = Sequence(map(functional_groups, frames))
    return ds


def read_back(ds: Dataset) -> Dataset:
    """The dataset as a receiver has it: written to a file's bytes, and read from them."""
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return dcmread(BytesIO(file.getvalue()))
