"""DICOM objects made for the tests of the node, whole or damaged, and their bytes."""

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID, ComputedRadiographyImageStorage, ExplicitVRLittleEndian

STUDY = "1.2.826.0.1.1"
SERIES = f"{STUDY}.1"
INSTANCE = f"{SERIES}.1"


def radiograph(instance: str = INSTANCE, *, study: str = STUDY, **attributes: Any) -> Dataset:
    """A small CR image of ``study``; an attribute given as None is left out."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = ComputedRadiographyImageStorage, instance
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, f"{study}.1"
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "CR", "CHEST", "PA"
    dataset.PatientID, dataset.PatientName, dataset.PatientSex = "P1", "Made^Up", "F"
    dataset.StudyDate, dataset.PatientBirthDate = "20260301", "19760302"
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    _set_pixels(dataset)
    for keyword, value in attributes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def _set_pixels(dataset: Dataset) -> None:
    """A disc on a gradient: enough of an image to be embedded."""
    down, across = np.mgrid[0:64, 0:64]
    pixels = (down * 20 + across * 9 + 900 * (np.hypot(down - 30, across - 24) < 14)).astype("<u2")
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.PixelData = pixels.tobytes()


def encoded(dataset: Dataset) -> bytes:
    """The data set in Explicit VR Little Endian, as it travels in a C-STORE request."""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def write_file(
    path: Path,
    data: bytes,
    *,
    sop_class: str = ComputedRadiographyImageStorage,
    instance: str = INSTANCE,
    syntax: str = ExplicitVRLittleEndian,
) -> Path:
    """A DICOM file (PS3.10 7) whose data set are any bytes, which need not agree with its meta."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(instance)
    meta.TransferSyntaxUID = UID(syntax)
    meta.ImplementationClassUID = UID("1.2.826.0.1.9")
    buffer = DicomBytesIO()
    write_file_meta_info(buffer, meta)
    path.write_bytes(b"\0" * 128 + b"DICM" + buffer.getvalue() + data)
    return path


def written(path: Path, dataset: Dataset) -> Path:
    """The data set as a DICOM file whose meta agrees with it."""
    return write_file(
        path, encoded(dataset), sop_class=dataset.SOPClassUID, instance=dataset.SOPInstanceUID
    )
