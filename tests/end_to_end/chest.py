"""Chest radiographs as DICOM objects, made from the shared data's PNG images."""

import csv
import hashlib
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
)


def uid_of(*words: object) -> str:
    """A UID that the words always give again."""
    return f"2.25.{int(hashlib.sha256(repr(words).encode()).hexdigest()[:30], 16)}"


def chest_rows(shared_data: Path, count: int) -> list[dict[str, str]]:
    """The first ``count`` lines of the manifest that carry one of the three classes, spread out."""
    with (shared_data / "cxr" / "manifest.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["cxr3"]]
    return rows[:: max(1, len(rows) // count)][:count]


def chest_object(shared_data: Path, row: dict[str, str], number: int) -> Dataset:
    """One manifest line as a DX or CR object, every third one with MONOCHROME1 polarity."""
    pixels = np.asarray(Image.open(shared_data / "cxr" / row["file"]).convert("L"))
    sop_class, modality = (
        (DigitalXRayImageStorageForPresentation, "DX")
        if number % 2
        else (ComputedRadiographyImageStorage, "CR")
    )
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.Modality = sop_class, modality
    dataset.SOPInstanceUID = uid_of(row["file"], "instance")
    dataset.StudyInstanceUID = uid_of(row["file"], "study")
    dataset.SeriesInstanceUID = uid_of(row["file"], "series")
    dataset.PatientName, dataset.PatientID = f"DERIVED^{number}", row["patient_id"]
    dataset.PatientSex, dataset.PatientBirthDate = row["sex"], ""
    dataset.StudyDate, dataset.StudyTime = "20260105", "101500"
    dataset.AccessionNumber, dataset.StudyID = f"A{number}", str(number)
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = "CHEST, DERIVED FROM A PNG"
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.BodyPartExamined, dataset.ViewPosition = "CHEST", row["view"]
    dataset.InstanceNumber, dataset.SeriesNumber = "1", "1"
    _set_pixels(dataset, pixels, inverted=number % 3 == 0)
    return dataset


def _set_pixels(
    dataset: Dataset, pixels: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]", *, inverted: bool
) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelRepresentation = 0
    dataset.WindowCenter, dataset.WindowWidth = "128", "256"
    dataset.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
    dataset.PixelData = (
        (255 - pixels if inverted else pixels).tobytes().ljust(pixels.size + pixels.size % 2, b"\0")
    )


def write_chest_studies(shared_data: Path, folder: Path, count: int) -> list[Dataset]:
    """Writes ``count`` studies of one image each under ``folder``; returns them."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, row in enumerate(chest_rows(shared_data, count)):
        dataset = chest_object(shared_data, row, number)
        dataset.save_as(folder / f"{number:04d}.dcm", enforce_file_format=True)
        written.append(dataset)
    return written
