"""Which SOP classes hold images that are embedded, and what the others are."""

from pydicom import uid
from pydicom.uid import UID

EMBEDDED = frozenset(
    {
        uid.ComputedRadiographyImageStorage,
        uid.DigitalXRayImageStorageForPresentation,
        uid.DigitalXRayImageStorageForProcessing,
        uid.DigitalMammographyXRayImageStorageForPresentation,
        uid.DigitalMammographyXRayImageStorageForProcessing,
        uid.DigitalIntraOralXRayImageStorageForPresentation,
        uid.DigitalIntraOralXRayImageStorageForProcessing,
        uid.BreastTomosynthesisImageStorage,
        uid.BreastProjectionXRayImageStorageForPresentation,
        uid.BreastProjectionXRayImageStorageForProcessing,
        uid.CTImageStorage,
        uid.EnhancedCTImageStorage,
        uid.LegacyConvertedEnhancedCTImageStorage,
        uid.MRImageStorage,
        uid.EnhancedMRImageStorage,
        uid.EnhancedMRColorImageStorage,
        uid.LegacyConvertedEnhancedMRImageStorage,
        uid.UltrasoundImageStorage,
        uid.UltrasoundMultiFrameImageStorage,
        UID("1.2.840.10008.5.1.4.1.1.3"),  # Ultrasound Multi-frame, retired and still sent
        UID("1.2.840.10008.5.1.4.1.1.6"),  # Ultrasound, retired and still sent
        uid.XRayAngiographicImageStorage,
        uid.EnhancedXAImageStorage,
        uid.XRayRadiofluoroscopicImageStorage,
        uid.EnhancedXRFImageStorage,
    }
)

# Phrases of the names that PS3.6 Table A-1 gives; the first that fits names the reason.
_REASONS = (
    ("Secondary Capture", "secondary capture"),
    ("Presentation State", "presentation state"),
    ("Radiation Dose SR", "dose report"),
    ("SR Storage", "structured report"),
    ("Key Object Selection", "key object selection"),
    ("Segmentation", "segmentation"),
    ("Parametric Map", "parametric map"),
    ("Encapsulated", "encapsulated document"),
    ("Waveform", "waveform"),
    ("Raw Data", "raw data"),
    ("RT ", "radiotherapy object"),
)


def holds_no_image(sop_class_uid: str) -> bool:
    """Whether PS3.6 knows the class and names it other than an image storage class.

    Reports, presentation states and segmentations are such; an unknown UID is not.
    """
    name = UID(sop_class_uid).name
    return name != sop_class_uid and "Image Storage" not in name


def for_processing(sop_class_uid: str) -> bool:
    """Whether objects of the class hold raw detector values that are not meant for display."""
    return UID(sop_class_uid).name.endswith("For Processing")


def left_out_because(sop_class_uid: str) -> str | None:
    """Why objects of this class are not embedded, or None where they are."""
    if sop_class_uid in EMBEDDED:
        return None
    name = UID(sop_class_uid).name
    kind = next((reason for phrase, reason in _REASONS if phrase in name), None)
    return f"{kind} ({name})" if kind else f"SOP class {name} is not one that is embedded"
