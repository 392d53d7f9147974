"""Sections 8.1.2 to 8.1.4 of PS3.2 annex A: what we read of received instances, and what for."""

from pydicom.datadict import dictionary_description, dictionary_VR, tag_for_keyword
from pydicom.tag import Tag

from dicom_node.conformance.markdown import Section, bullets, paragraphs, table
from dicom_node.received import STUDY_ATTRIBUTES
from encoders.eligibility import PROJECTIONS, SLICES

USED: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "which instance it is",
        ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"),
    ),
    ("patient and study, for reports and for telling patients apart", STUDY_ATTRIBUTES),
    ("the series, for readers", ("SeriesDescription",)),
    ("whether we made it ourselves", ("DeviceUID", "DeviceSerialNumber")),
    (
        "choice of image: kind of image",
        (
            "Modality",
            "ImageType",
            "InstanceNumber",
            "NumberOfFrames",
            "AcquisitionNumber",
            "TemporalPositionIdentifier",
            "TriggerTime",
            "EchoNumbers",
            "EchoTime",
            "DiffusionBValue",
            "ComplexImageComponent",
        ),
    ),
    ("choice of image: geometry", ("ImagePositionPatient", "ImageOrientationPatient")),
    (
        "choice of image: the same of frames of enhanced objects",
        (
            "SharedFunctionalGroupsSequence",
            "PerFrameFunctionalGroupsSequence",
            "PlanePositionSequence",
            "PlaneOrientationSequence",
            "FrameContentSequence",
            "FrameAcquisitionNumber",
            "TemporalPositionIndex",
            "CTImageFrameTypeSequence",
            "MRImageFrameTypeSequence",
            "FrameType",
            "MRDiffusionSequence",
            "MREchoSequence",
            "EffectiveEchoTime",
            "CardiacSynchronizationSequence",
            "NominalCardiacTriggerDelayTime",
        ),
    ),
    (
        "body part, view and side",
        (
            "BodyPartExamined",
            "AnatomicRegionSequence",
            "ViewPosition",
            "ViewCodeSequence",
            "CodeValue",
            "CodingSchemeDesignator",
            "CodeMeaning",
            "Laterality",
            "ImageLaterality",
            "FrameAnatomySequence",
            "FrameLaterality",
        ),
    ),
    ("the scanner, for evaluations", ("Manufacturer", "ManufacturerModelName")),
    ("whether the image may be shown in a picture", ("BurnedInAnnotation",)),
    ("whether a picture shows pixels that lost something", ("LossyImageCompression",)),
    (
        "pixels: their layout",
        (
            "SamplesPerPixel",
            "PhotometricInterpretation",
            "PlanarConfiguration",
            "Rows",
            "Columns",
            "BitsAllocated",
            "BitsStored",
            "HighBit",
            "PixelRepresentation",
            "PixelData",
            "RedPaletteColorLookupTableDescriptor",
            "GreenPaletteColorLookupTableDescriptor",
            "BluePaletteColorLookupTableDescriptor",
            "RedPaletteColorLookupTableData",
            "GreenPaletteColorLookupTableData",
            "BluePaletteColorLookupTableData",
        ),
    ),
    ("pixels: padding", ("PixelPaddingValue", "PixelPaddingRangeLimit")),
    (
        "pixels: modality LUT",
        (
            "ModalityLUTSequence",
            "PixelValueTransformationSequence",
            "RescaleIntercept",
            "RescaleSlope",
            "RescaleType",
        ),
    ),
    (
        "pixels: VOI LUT",
        (
            "VOILUTSequence",
            "FrameVOILUTSequence",
            "WindowCenter",
            "WindowWidth",
            "WindowCenterWidthExplanation",
            "VOILUTFunction",
            "LUTExplanation",
        ),
    ),
    ("pixels: either LUT's table", ("LUTDescriptor", "LUTData")),
    ("pixels: polarity and colour", ("PresentationLUTShape", "PixelPresentation")),
)
"""Every attribute of the data set that is read, by what it is read for."""


def used_attributes() -> Section:
    """What this node looks at; everything else is kept with the file and not used."""
    rows = [
        (
            purpose if keyword == keywords[0] else "",
            *(dictionary_description(keyword), _tag(keyword), dictionary_VR(keyword)),
        )
        for purpose, keywords in USED
        for keyword in keywords
    ]
    return Section(
        "Usage of Attributes from Received IODs",
        paragraphs(
            "Only the four UIDs that say which instance it is must be there. Every other "
            "attribute may be missing or damaged: what then cannot be done is left out, with a "
            "recorded reason.",
            table("Attributes used", ("Used For", "Attribute Name", "Tag", "VR"), rows),
            f"Compared image by image are the modalities {_listed(PROJECTIONS)}; of "
            f"{_listed(SLICES)} series the middle slice stands for each. Instances of other "
            "modalities are received and not compared.",
            "Images are shown as PS3.3 C.11 asks: modality LUT, then VOI LUT or window, then "
            "polarity. Overlays, presentation states, ICC profiles and softcopy settings of "
            "other objects are not applied.",
        ),
    )


def _tag(keyword: str) -> str:
    return str(Tag(tag_for_keyword(keyword) or 0)).replace(" ", "")


def _listed(words: frozenset[str]) -> str:
    *others, last = sorted(words)
    return f"{', '.join(others)} and {last}"


def attribute_mapping() -> Section:
    """What of a received instance stands where in what we make."""
    rows = [
        (dictionary_description(keyword), _tag(keyword), "the same attribute")
        for keyword in STUDY_ATTRIBUTES
        if keyword != "SpecificCharacterSet"
    ]
    rows += [
        (dictionary_description(keyword), _tag(keyword), place)
        for keyword, place in (
            ("SOPInstanceUID", "evidence sequences, IMAGE items of the content tree"),
            ("Modality", "Modality and Procedure reported in the content tree, as codes"),
            ("BodyPartExamined", "Target Region in the content tree, as a code where one fits"),
            ("ViewPosition", "Image View in the content tree, as a code where one fits"),
            ("ImageLaterality", "Image Laterality in the content tree, as a code"),
        )
    ]
    columns = ("Attribute of the Query", "Tag", "Where It Stands in Report and Picture")
    return Section(
        "Attribute Mapping",
        paragraphs(
            "A report is always filed under the patient and the study of the query. That it is, "
            "is checked once more before it is kept: otherwise it is not made.",
            table("Attribute mapping", columns, rows),
        ),
    )


def coerced() -> Section:
    """Nothing on the way in; gaps are filled on the way out."""
    return Section(
        "Coerced/Modified Fields",
        paragraphs(
            "Nothing of a received data set is coerced or modified. In reports and pictures:",
            bullets(
                "patient and study attributes of Type 2 that the query lacks are written with "
                "zero length",
                "a birth date, study date or study time that is none is written with zero length, "
                "and so is a sex other than M, F and O",
                "a study description, patient's age or referring physician's name that breaks its "
                "VR is not taken over: the name is written with zero length, the others are left "
                "out",
                "an attribute that came under another VR than its own is written under its own, "
                "bytes as the text that they are in printable ASCII; where they are none, as if "
                "the query lacked it",
                "text that is too long for its VR, or holds control characters, is shortened or "
                "cleaned where this node writes it itself; the query's own is left as it came",
            ),
        ),
    )
