r"""The picture of an answer as a Secondary Capture (PS3.3 A.8.1), beside the report.

The contact sheet of ``sheet`` with the header that files it: the query's patient and study, a
series of its own. Any viewer shows it, those that know no Structured Report too.
"""

from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    SecondaryCaptureImageStorage,
)
from pydicom.valuerep import DA, TM

from dicom_node.report.codes import body_part_term, fit
from dicom_node.report.device import Device
from dicom_node.report.filing import CaseNumber, assert_filed, patient_and_study
from dicom_node.report.sheet import draw_sheet, shown_images
from dicom_node.report.text import NOTICE
from storage.answer import Answer, ImageReference
from storage.pictures import Pictures

SERIES_NUMBER = 9901
_DERIVATION = (
    "Contact sheet of an image and of images similar to it, reduced to 8 bits and to thumbnails"
)
_SIDES = frozenset("RLBU")
_UNPAIRED = frozenset({"ABDOMEN", "ABDOMENPELVIS", "BLADDER", "BRAIN", "CHEST", "CHESTABDOMEN"})
_UNPAIRED |= {"CHESTABDPELVIS", "COLON", "CSPINE", "ESOPHAGUS", "HEAD", "HEADNECK", "HEART"}
_UNPAIRED |= {"LSPINE", "LSSPINE", "NECK", "NECKCHEST", "PANCREAS", "PELVIS", "PROSTATE", "SKULL"}
_UNPAIRED |= {"SSPINE", "STERNUM", "STOMACH", "TSPINE", "WHOLEBODY"}
"""Body parts (PS3.16 annex L) of which there is one."""
_LOSSY = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless})


def make_picture(
    answer: Answer,
    pictures: Pictures,
    *,
    device: Device,
    sop_instance_uid: str,
    series_instance_uid: str,
    created: datetime,
    case_number: CaseNumber | None = None,
) -> Dataset:
    """Makes the contact sheet of an answer as a Secondary Capture, filed as the report is.

    8 bits, MONOCHROME2, with a window that shows every gray level as it is. The same arguments
    give the same data set. ``case_number`` names the studies of other patients where they must
    not be told; the query's image is the only one referenced in either case, since the report
    references the others where it may.

    Raises:
        ReportError: it would be filed under another patient or study than the query's.
    """
    header = patient_and_study(answer.query)
    picture = Dataset()
    picture.update(header)
    picture.SpecificCharacterSet = "ISO_IR 192"
    picture.SOPClassUID = SecondaryCaptureImageStorage
    picture.SOPInstanceUID = sop_instance_uid
    picture.SeriesInstanceUID = series_instance_uid
    _series(picture, created)
    _equipment(picture, device, created)
    _image(picture, answer)
    _history(picture, shown_images(answer, pictures, withhold=case_number is not None))
    sheet = draw_sheet(answer, pictures, device=device, created=created, case_number=case_number)
    _pixels(picture, sheet)
    picture.file_meta = FileMetaDataset()
    picture.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    assert_filed(picture, header)
    return picture


def _series(picture: Dataset, created: datetime) -> None:
    """General Series (PS3.3 C.7.3.1) and SOP Common (C.12.1)."""
    picture.Modality = "OT"
    picture.SeriesNumber = SERIES_NUMBER
    picture.SeriesDescription = "Similar studies"
    picture.SeriesDate = picture.ContentDate = picture.InstanceCreationDate = DA(created.date())
    picture.SeriesTime = picture.ContentTime = picture.InstanceCreationTime = TM(created.time())


def _equipment(picture: Dataset, device: Device, created: datetime) -> None:
    """General Equipment (PS3.3 C.7.5.1) and SC Equipment (C.8.6.1)."""
    picture.Manufacturer = fit(device.manufacturer)
    picture.ManufacturerModelName = fit(device.model_name)
    picture.SoftwareVersions = fit(device.software_version) or "unknown"
    picture.DeviceUID = picture.DeviceSerialNumber = device.uid
    picture.StationName = fit(device.ae_title, 16)
    picture.ConversionType = "WSD"  # made on a workstation, not scanned or filmed
    picture.DateOfSecondaryCapture = DA(created.date())
    picture.TimeOfSecondaryCapture = TM(created.time())


def _image(picture: Dataset, answer: Answer) -> None:
    """General Image (PS3.3 C.7.6.1) and, after its rules, the image that was asked about."""
    picture.InstanceNumber = 1
    picture.PatientOrientation = None  # Type 2C: a sheet of many images has none
    picture.ImageType = ["DERIVED", "SECONDARY"]
    picture.DerivationDescription = _DERIVATION
    picture.ImageComments = NOTICE
    picture.SourceImageSequence = [_source(answer.image)]
    _side(picture, answer.image)


def _side(picture: Dataset, image: ImageReference) -> None:
    """Which of a pair the body part is, by General Image (C.7.6.1) or General Series (C.7.3.1)."""
    body_part = body_part_term(image.body_part)
    if image.laterality in _SIDES:
        picture.ImageLaterality = image.laterality
    elif body_part in _UNPAIRED:
        picture.BodyPartExamined = body_part
    else:
        # Type 2C, and unknown. Image Laterality U would say that it is none of a pair, which is
        # false of a hand whose image does not tell its side.
        picture.Laterality = None


def _source(image: ImageReference) -> Dataset:
    """An item of the Source Image Sequence (PS3.3 C.12.4.1, CID 7202)."""
    purpose, code = Dataset(), codes.cid7202.SourceImageForMontage
    purpose.CodeValue, purpose.CodingSchemeDesignator = code.value, code.scheme_designator
    purpose.CodeMeaning = code.meaning
    item = Dataset()
    item.ReferencedSOPClassUID = image.sop_class_uid
    item.ReferencedSOPInstanceUID = image.sop_instance_uid
    if image.frame_number is not None:
        item.ReferencedFrameNumber = image.frame_number
    item.SpatialLocationsPreserved = "NO"
    item.PurposeOfReferenceCodeSequence = [purpose]
    return item


def _history(picture: Dataset, images: list[ImageReference]) -> None:
    """What the shown images bring along: burned-in annotation and lossy compression.

    Burned In Annotation tells whether the image has enough of it "to identify the patient and
    date the image was acquired" (PS3.3 C.7.6.1). Our own lettering names nobody, so the shown
    images decide: YES if one says so, NO if all say NO, absent, which is "may or may not", for
    the rest. Lossy Image Compression stays 01 through every derivation (C.7.6.1.1.5); an image
    that came in a syntax of both kinds does not tell, and the attribute is absent.
    """
    said = {image.burned_in for image in images}
    if "YES" in said or said <= {"NO"}:
        picture.BurnedInAnnotation = "YES" if "YES" in said else "NO"
    if any(map(_was_lossy, images)):
        picture.LossyImageCompression = "01"


def _was_lossy(image: ImageReference) -> bool:
    return image.lossy or image.pixel_rules.get("transfer_syntax_uid") in _LOSSY


def _pixels(picture: Dataset, sheet: NDArray[np.uint8]) -> None:
    """Image Pixel (PS3.3 C.7.6.3) and a VOI window that is the identity (C.11.2.1.2.1)."""
    picture.Rows, picture.Columns = sheet.shape
    picture.SamplesPerPixel = 1
    picture.PhotometricInterpretation = "MONOCHROME2"
    picture.BitsAllocated = picture.BitsStored = 8
    picture.HighBit = 7
    picture.PixelRepresentation = 0
    picture.WindowCenter, picture.WindowWidth = "128", "256"
    picture.PixelData = sheet.tobytes() + b"\0" * (sheet.size % 2)
    picture["PixelData"].VR = "OB"
