"""Studies of each kind that a report is made on: plain, of several slices or frames, and odd."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, MRImageStorage, generate_uid

from tests.dicom_node.objects import radiograph, written
from tests.encoders.objects import Groups, functional_groups

SLICES = 5


def _radiograph(study: str, patient: str) -> list[Dataset]:
    return [radiograph(generate_uid(prefix=None), study=study, PatientID=patient)]


def _odd(study: str, patient: str) -> list[Dataset]:
    """No accession number, birth date, sex, description or study date; a Japanese name."""
    return [
        radiograph(
            generate_uid(prefix=None),
            study=study,
            PatientID=patient,
            SpecificCharacterSet=["", "ISO 2022 IR 87"],
            PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう",
            PatientBirthDate=None,
            PatientSex=None,
            StudyDate=None,
            BodyPartExamined="UNHEARD OF PART",
            ViewPosition="UPSIDE DOWN",
        )
    ]


def _slices(sop_class: str, modality: str, study: str, patient: str) -> list[Dataset]:
    return [
        radiograph(
            generate_uid(prefix=None),
            study=study,
            PatientID=patient,
            SOPClassUID=sop_class,
            Modality=modality,
            ViewPosition=None,
            AccessionNumber="ACC-1",
            ImageType=["ORIGINAL", "PRIMARY", "AXIAL" if modality == "CT" else "M"],
            ImagePositionPatient=[0, 0, 5 * place],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            PixelSpacing=[1, 1],
            RescaleIntercept=0,
            RescaleSlope=1,
            InstanceNumber=place + 1,
        )
        for place in range(SLICES)
    ]


def _enhanced(study: str, patient: str) -> list[Dataset]:
    """Enhanced CT: the frames' planes and rescaling stand in the functional groups."""
    (single,) = _radiograph(study, patient)
    frame = np.frombuffer(single.PixelData, "<u2")
    shared: Groups = {
        "PlaneOrientationSequence": {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]},
        "PixelMeasuresSequence": {"PixelSpacing": [1, 1], "SliceThickness": 5},
        "PixelValueTransformationSequence": {
            "RescaleIntercept": 0,
            "RescaleSlope": 1,
            "RescaleType": "HU",
        },
        "CTImageFrameTypeSequence": {"FrameType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]},
    }
    places: list[Groups] = [
        {"PlanePositionSequence": {"ImagePositionPatient": [0, 0, 5 * z]}} for z in range(SLICES)
    ]
    single.SOPClassUID, single.Modality = EnhancedCTImageStorage, "CT"
    single.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    single.NumberOfFrames, single.PixelData = SLICES, frame.tobytes() * SLICES
    single.SharedFunctionalGroupsSequence = [functional_groups(shared)]
    single.PerFrameFunctionalGroupsSequence = [functional_groups(place) for place in places]
    del single.ViewPosition
    return [single]


KINDS: Mapping[str, Callable[[str, str], list[Dataset]]] = {
    "CR": _radiograph,
    "CT": lambda study, patient: _slices(CTImageStorage, "CT", study, patient),
    "MR": lambda study, patient: _slices(MRImageStorage, "MR", study, patient),
    "enhanced CT": _enhanced,
    "odd": _odd,
}
"""Makes the instances of a study, by its UID and its patient's ID."""


def write_study(folder: Path, kind: str, *, study: str, patient: str) -> Path:
    """The study's instances as files of a folder."""
    folder.mkdir(parents=True)
    for place, dataset in enumerate(KINDS[kind](study, patient)):
        written(folder / f"{place}.dcm", dataset)
    return folder
