"""Which instances may be embedded at all, by SOP class, modality and image type."""

from encoders import sop_classes
from encoders.header import ImageHeader

PROJECTIONS = frozenset({"CR", "DX", "MG", "RG", "PX", "IO", "XA", "RF", "US"})
"""Modalities embedded image by image (PS3.3 C.7.3.1.1.1)."""

SLICES = frozenset({"CT", "MR"})
"""Modalities embedded by the middle slice of each series."""

_LOCALIZER = frozenset({"LOCALIZER", "SCOUT", "TOPOGRAM", "SURVEY"})

# Reformats and projections that scanners and workstations mark in ImageType value 3 and later.
_RECONSTRUCTED = frozenset(
    {
        "AVERAGE",
        "CSA MPR",
        "CURVED MPR",
        "MAX_IP",
        "MIN_IP",
        "MINIP",
        "MIP",
        "MNIP",
        "MPR",
        "PROJECTION IMAGE",
        "REFORMATTED",
        "VOLUME_RENDER",
        "VRT",
    }
)

# Derived Pixel Contrast, value 4 of Image Type and Frame Type (PS3.3 C.8.16.1.4, Table C.8-130).
_CALCULATED = frozenset(
    {
        "ADDITION",
        "DIVISION",
        "MASKED",
        "MAXIMUM",
        "MEAN",
        "MINIMUM",
        "MTT",
        "MULTIPLICATION",
        "RCBF",
        "RCBV",
        "RESAMPLED",
        "STD_DEVIATION",
        "SUBTRACTION",
        "T_TEST",
        "TTP",
        "Z_SCORE",
    }
)


def left_out_because(header: ImageHeader) -> str | None:
    """Why this instance is not embedded, or None where it may be.

    Radiographs are kept whatever ImageType says: DERIVED is normal for images that a detector
    has processed for presentation. A CT or MR instance is left out where each of its frames is
    (``slice_left_out_because``); the reason is the first frame's, and says how many they are.
    """
    reason = sop_classes.left_out_because(header.sop_class_uid)
    if reason is not None or header.modality in PROJECTIONS:
        return reason
    if header.modality not in SLICES:
        shown = "".join(c if c.isprintable() else "?" for c in header.modality)
        return f"modality {shown} is not one that is embedded"
    reasons = [slice_left_out_because(image_type) for image_type in _image_types(header)]
    if None in reasons:
        return None
    several = header.number_of_frames > 1 and header.frames
    return f"{reasons[0]}, each of {header.number_of_frames} frames" if several else reasons[0]


def slice_left_out_because(image_type: tuple[str, ...]) -> str | None:
    """Why a slice with this ImageType or FrameType is not embedded, or None where it may be.

    Left out are localizers (value 3; PS3.3 C.8.2.1.1.1, C.8.3.1.1.1, C.8.16.1.3), reformats and
    projections, calculated images (DERIVED, with a Derived Pixel Contrast in value 4;
    C.8.16.1.4), and what is both DERIVED and SECONDARY. MIXED in value 1 says that the frames
    differ (C.8.16.1): it leaves nothing out.

    Args:
        image_type: the values, upper case.
    """
    written = "\\".join(image_type)
    if _LOCALIZER.intersection(image_type[2:]):
        return f"localizer (ImageType {written})"
    if _RECONSTRUCTED.intersection(image_type[2:]):
        return f"reformat or projection (ImageType {written})"
    if derived(image_type) and _CALCULATED.intersection(image_type[3:4]):
        return f"calculated image (ImageType {written})"
    if image_type[:2] == ("DERIVED", "SECONDARY"):
        return f"derived secondary image (ImageType {written})"
    return None


def derived(image_type: tuple[str, ...]) -> bool:
    """Whether value 1 says that the pixels were calculated from other images' (C.7.6.1.1.2)."""
    return image_type[:1] == ("DERIVED",)


def _image_types(header: ImageHeader) -> list[tuple[str, ...]]:
    """The different types of an instance's frames, in their order; its own for frames without."""
    own = [frame.image_type or header.image_type for frame in header.frames]
    missing = header.number_of_frames - len(own)
    types = own[: header.number_of_frames] + [header.image_type] * min(max(missing, 0), 1)
    return list(dict.fromkeys(types))
