"""Which elements have a say in the pixels: a change anywhere else must change no picture."""

from pydicom.datadict import tag_for_keyword

from tests.fuzzing.layout import Element

READ = frozenset(
    tag_for_keyword(keyword) or 0
    for keyword in (
        "FileMetaInformationGroupLength",
        "TransferSyntaxUID",
        "SpecificCharacterSet",  # of the explanations of windows
        "SOPClassUID",
        "Modality",
        "BodyPartExamined",
        "AnatomicRegionSequence",
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "PlanarConfiguration",
        "NumberOfFrames",
        "Rows",
        "Columns",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "PixelPaddingValue",
        "PixelPaddingRangeLimit",
        "WindowCenter",
        "WindowWidth",
        "WindowCenterWidthExplanation",
        "VOILUTFunction",
        "VOILUTSequence",
        "RescaleIntercept",
        "RescaleSlope",
        "RescaleType",
        "ModalityLUTSequence",
        "PresentationLUTShape",
        "PixelPresentation",
        "RedPaletteColorLookupTableDescriptor",
        "GreenPaletteColorLookupTableDescriptor",
        "BluePaletteColorLookupTableDescriptor",
        "RedPaletteColorLookupTableData",
        "GreenPaletteColorLookupTableData",
        "BluePaletteColorLookupTableData",
        "SharedFunctionalGroupsSequence",
        "PerFrameFunctionalGroupsSequence",
        "ExtendedOffsetTable",
        "ExtendedOffsetTableLengths",
        "PixelData",
    )
)
"""Tags that the pipeline or pydicom's decoding reads, at any depth below them too."""


def is_read(element: Element) -> bool:
    """Whether an element, or a sequence that it stands in, is among ``READ``."""
    return not READ.isdisjoint((element.head.tag, *(head.tag for head in element.inside)))
