"""Which module each attribute belongs to that we write (PS3.3 A.8.1, A.35)."""

from collections.abc import Mapping
from types import MappingProxyType

_PATIENT_AND_STUDY = {
    "Patient (C.7.1.1)": (
        "PatientName",
        "PatientID",
        "IssuerOfPatientID",
        "IssuerOfPatientIDQualifiersSequence",
        "PatientBirthDate",
        "PatientSex",
    ),
    "General Study (C.7.2.1)": (
        "StudyInstanceUID",
        "StudyDate",
        "StudyTime",
        "ReferringPhysicianName",
        "StudyID",
        "AccessionNumber",
        "IssuerOfAccessionNumberSequence",
        "StudyDescription",
    ),
    "Patient Study (C.7.2.2)": ("PatientAge",),
}
_GENERAL_EQUIPMENT = {
    "General Equipment (C.7.5.1)": (
        "Manufacturer",
        "StationName",
        "ManufacturerModelName",
        "DeviceSerialNumber",
        "DeviceUID",
        "SoftwareVersions",
    ),
}
_SOP_COMMON = {
    "SOP Common (C.12.1)": (
        "SOPClassUID",
        "SOPInstanceUID",
        "SpecificCharacterSet",
        "InstanceCreationDate",
        "InstanceCreationTime",
        "CodingSchemeIdentificationSequence",
        "ContributingEquipmentSequence",
    ),
}
_SERIES = (
    "Modality",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SeriesDate",
    "SeriesTime",
    "SeriesDescription",
)

REPORT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **_PATIENT_AND_STUDY,
        "SR Document Series (C.17.1)": (*_SERIES, "ReferencedPerformedProcedureStepSequence"),
        **_GENERAL_EQUIPMENT,
        "SR Document General (C.17.2)": (
            "InstanceNumber",
            "CompletionFlag",
            "PreliminaryFlag",
            "VerificationFlag",
            "ContentDate",
            "ContentTime",
            "PerformedProcedureCodeSequence",
            "ReferencedInstanceSequence",
            "PredecessorDocumentsSequence",
            "CurrentRequestedProcedureEvidenceSequence",
            "PertinentOtherEvidenceSequence",
        ),
        "SR Document Content (C.17.3)": (
            "ValueType",
            "ConceptNameCodeSequence",
            "ContinuityOfContent",
            "ContentTemplateSequence",
            "ContentSequence",
        ),
        **_SOP_COMMON,
    }
)
"""Of the Enhanced, Comprehensive and Comprehensive 3D SR IODs, which share them."""

PICTURE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **_PATIENT_AND_STUDY,
        "General Series (C.7.3.1)": (*_SERIES, "Laterality", "BodyPartExamined"),
        **_GENERAL_EQUIPMENT,
        "SC Equipment (C.8.6.1)": ("ConversionType",),
        "General Image (C.7.6.1)": (
            "InstanceNumber",
            "PatientOrientation",
            "ContentDate",
            "ContentTime",
            "ImageType",
            "ImageLaterality",
            "ImageComments",
            "BurnedInAnnotation",
            "RecognizableVisualFeatures",
            "LossyImageCompression",
            "PresentationLUTShape",
        ),
        "General Reference (C.12.4)": (
            "DerivationDescription",
            "ReferencedImageSequence",
            "SourceImageSequence",
        ),
        "Image Pixel (C.7.6.3)": (
            "SamplesPerPixel",
            "PhotometricInterpretation",
            "Rows",
            "Columns",
            "BitsAllocated",
            "BitsStored",
            "HighBit",
            "PixelRepresentation",
            "PlanarConfiguration",
            "PixelData",
        ),
        "SC Image (C.8.6.2)": ("DateOfSecondaryCapture", "TimeOfSecondaryCapture"),
        "VOI LUT (C.11.2)": ("WindowCenter", "WindowWidth"),
        **_SOP_COMMON,
    }
)
"""Of the Secondary Capture Image IOD."""
