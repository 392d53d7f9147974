"""DICOM files on a disk: what their headers tell of an image and of whom it shows."""

import math
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from encoders.deflated import read_header
from encoders.elements import READ_ERRORS, explain
from encoders.header import HeaderError, ImageHeader
from encoders.tolerant import clean_text
from evaluation.readers.cells import OLDEST, age_of, sex_of
from evaluation.readers.patients import patient_of

DAYS_IN_YEAR = 365.25


@dataclass(frozen=True)
class DicomFile:
    """What a file's header tells.

    Attributes:
        path: of the file.
        header: as encoders choose images by.
        patient_id: Patient ID, or empty.
        issuer: Issuer of Patient ID, or empty.
        study: Study Instance UID, or empty.
        sex: M, F, O, or empty.
        age: in years, by Patient's Age, else by the dates of birth and study; NaN where unknown.
    """

    path: Path
    header: ImageHeader
    patient_id: str
    issuer: str
    study: str
    sex: str
    age: float

    @property
    def patient(self) -> str:
        """The patient's own name among those of all issuers, or the study's."""
        return patient_of(self.patient_id, self.issuer, self.study)


class NoImageError(Exception):
    """A file is no DICOM image; the message is the reason, the same for files of a kind."""


def files_below(place: Path) -> Iterator[Path]:
    """Every file of a folder and those below it, in the order of their names."""
    for folder, below, names in os.walk(place):
        below.sort()
        for name in sorted(names):
            yield Path(folder) / name


def read_file(path: Path) -> DicomFile:
    """Reads a file up to its pixels.

    Raises:
        NoImageError: it is no DICOM file, is damaged, or its header does not describe an image.
    """
    try:
        ds = read_header(path)
        header = ImageHeader.from_dataset(ds)
    except InvalidDicomError as fault:
        raise NoImageError("no DICOM file") from fault
    except HeaderError as fault:
        raise NoImageError(str(fault)) from fault
    except READ_ERRORS as fault:
        raise NoImageError(f"damaged ({explain(fault)})") from fault
    patient_id = clean_text(ds, "PatientID") or ""
    return DicomFile(
        path=path,
        header=header,
        patient_id=patient_id,
        issuer=(clean_text(ds, "IssuerOfPatientID") or "") if patient_id else "",
        study=clean_text(ds, "StudyInstanceUID") or "",
        sex=_sex(ds),
        age=_age(ds),
    )


def told(reasons: Counter[str]) -> str:
    """How many files were left out for which reason, the most frequent first."""
    return "; ".join(f"{count} {reason}" for reason, count in reasons.most_common())


def left_out(place: Path, what: str, reasons: Counter[str]) -> list[str]:
    """The remark on files or folders that are left out; none where all are read."""
    if not reasons:
        return []
    return [f"{place}: {reasons.total()} {what} left out: {told(reasons)}"]


def _sex(ds: Dataset) -> str:
    try:
        return sex_of(clean_text(ds, "PatientSex") or "")
    except ValueError:
        return ""


def _age(ds: Dataset) -> float:
    try:
        age = age_of(clean_text(ds, "PatientAge") or "")
    except ValueError:
        age = math.nan
    return _age_by_dates(ds) if math.isnan(age) else age


def _age_by_dates(ds: Dataset) -> float:
    try:
        born, seen = (
            datetime.strptime(clean_text(ds, keyword) or "", "%Y%m%d")
            for keyword in ("PatientBirthDate", "StudyDate")
        )
    except ValueError:
        return math.nan
    age = (seen - born).days / DAYS_IN_YEAR
    return age if 0 <= age <= OLDEST else math.nan
