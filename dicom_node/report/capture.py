"""The picture of an answer as a Secondary Capture (PS3.3 A.8.1), beside the report."""

from datetime import datetime

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from dicom_node.report.device import Device
from dicom_node.report.filing import CaseNumber, assert_filed, patient_and_study
from storage.answer import Answer
from storage.pictures import Pictures


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
    """Makes the contact sheet of an answer as a Secondary Capture, filed as the report is."""
    header = patient_and_study(answer.query)
    picture = Dataset()
    picture.update(header)
    picture.SOPClassUID = SecondaryCaptureImageStorage
    picture.SOPInstanceUID = sop_instance_uid
    picture.SeriesInstanceUID = series_instance_uid
    picture.DeviceUID = device.uid
    picture.ContentDate = created.date()
    picture.file_meta = FileMetaDataset()
    picture.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    assert_filed(picture, header)
    return picture
