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


def left_out_because(header: ImageHeader) -> str | None:
    """Why this instance is not embedded, or None where it may be.

    Radiographs are kept whatever ImageType says: DERIVED is normal for images that a detector
    has processed for presentation. CT and MR leave out localizers (PS3.3 C.8.2.1.1.1 and
    C.8.3.1.1.1, value 3), reformats and projections, and what is both DERIVED and SECONDARY.
    """
    reason = sop_classes.left_out_because(header.sop_class_uid)
    if reason is not None or header.modality in PROJECTIONS:
        return reason
    if header.modality not in SLICES:
        return f"modality {header.modality} is not one that is embedded"
    return _slice_left_out_because(header.image_type)


def _slice_left_out_because(image_type: tuple[str, ...]) -> str | None:
    written = "\\".join(image_type)
    if _LOCALIZER.intersection(image_type[2:]):
        return f"localizer (ImageType {written})"
    if _RECONSTRUCTED.intersection(image_type[2:]):
        return f"reformat or projection (ImageType {written})"
    if image_type[:2] == ("DERIVED", "SECONDARY"):
        return f"derived secondary image (ImageType {written})"
    return None
