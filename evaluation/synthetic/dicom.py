"""What every synthetic object says of itself: identifiers, patient, study and equipment."""

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from evaluation.synthetic.anatomy import Anatomy

ISSUER = "LIKENESS-SYNTHETIC"
NOTICE = "Synthetic image made by the Likeness project, not a patient"
FIRST_DAY = date(2021, 1, 4)


@dataclass(frozen=True)
class StudyHeader:
    """What all objects of one study share.

    ``patient`` counts from 1 within the archive of ``seed``; ``day`` counts from ``FIRST_DAY``.
    """

    seed: int
    index: int
    patient: int
    modality: str
    day: int
    anatomy: Anatomy

    @property
    def patient_id(self) -> str:
        """SYN-0001 in the first archive; other seeds are other people and say so."""
        archive = "SYN" if self.seed == 1 else f"SYN{self.seed}"
        return f"{archive}-{self.patient:04d}"

    @property
    def study_date(self) -> date:
        """The day of the study."""
        return FIRST_DAY + timedelta(days=self.day)

    def uid(self, what: str) -> UID:
        """The identifier of ``what`` in this study, the same at every run."""
        return made_uid(self.seed, self.index, f"{self.modality}/{what}")


def made_uid(seed: int, index: int, what: str) -> UID:
    """A UID below 2.25 (PS3.5 B.2), from a hash instead of a random UUID."""
    digest = hashlib.sha256(f"likeness-synthetic/{seed}/{index}/{what}".encode()).digest()
    return UID(f"2.25.{int.from_bytes(digest[:16], 'big')}")


def new_object(header: StudyHeader, sop_class: UID, what: str, series: str) -> Dataset:
    """An object of ``sop_class`` with file meta information and all modules but the image's.

    Modules of PS3.3: Patient (C.7.1.1), General Study (C.7.2.1), Patient Study (C.7.2.2),
    General Series (C.7.3.1), General Equipment (C.7.5.1), SOP Common (C.12.1).
    """
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = header.uid(what)
    _add_patient(ds, header)
    _add_study(ds, header)
    ds.Modality = header.modality
    ds.SeriesInstanceUID = header.uid(series)
    ds.BodyPartExamined = "CHEST"
    ds.ImageComments = NOTICE
    ds.BurnedInAnnotation = "NO"
    _add_equipment(ds)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def _add_patient(ds: Dataset, header: StudyHeader) -> None:
    born = date(FIRST_DAY.year - header.anatomy.age, 1 + header.patient % 12, 1)
    ds.PatientName = f"SYNTHETIC^{header.patient:04d}"
    ds.PatientID = header.patient_id
    ds.IssuerOfPatientID = ISSUER
    ds.PatientBirthDate = born.strftime("%Y%m%d")
    ds.PatientSex = header.anatomy.sex
    ds.PatientComments = NOTICE
    ds.PatientAge = f"{(header.study_date - born).days // 365:03d}Y"


def _add_study(ds: Dataset, header: StudyHeader) -> None:
    ds.StudyInstanceUID = header.uid("study")
    for moment in ("Study", "Series", "Acquisition", "Content"):
        setattr(ds, f"{moment}Date", header.study_date.strftime("%Y%m%d"))
        setattr(ds, f"{moment}Time", f"{8 + header.index % 10:02d}{header.index % 60:02d}00")
    ds.ReferringPhysicianName = ""
    ds.StudyID = str(header.index)
    ds.AccessionNumber = f"SYN{header.index:07d}"
    ds.StudyDescription = f"SYNTHETIC chest {header.modality}"


def _add_equipment(ds: Dataset) -> None:
    ds.Manufacturer = "Likeness synthetic archive"
    ds.ManufacturerModelName = "Procedural chest"
    ds.DeviceSerialNumber = "SYNTHETIC"
    ds.SoftwareVersions = "1"


def add_pixels(ds: Dataset, stored: NDArray[np.int32], *, bits: int, signed: bool) -> None:
    """The Image Pixel Module (PS3.3 C.7.6.3) for one grayscale frame in 16-bit cells.

    Args:
        ds: the object, changed in place.
        stored: integer stored values, shape (rows, columns), within ``bits``.
        bits: Bits Stored.
        signed: two's complement (Pixel Representation 1) or unsigned (0).
    """
    ds.SamplesPerPixel = 1
    ds.Rows, ds.Columns = stored.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, bits, bits - 1
    ds.PixelRepresentation = int(signed)
    cells = stored.astype("<i2" if signed else "<u2")
    ds.add_new("PixelData", "OW", cells.tobytes())
