"""What the Storage SCP takes: its SOP classes, in the transfer syntaxes that were proved."""

from collections.abc import Sequence

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import sop_class

IMAGE_STORAGE: tuple[UID, ...] = (
    sop_class.ComputedRadiographyImageStorage,
    sop_class.DigitalXRayImageStorageForPresentation,
    sop_class.DigitalXRayImageStorageForProcessing,
    sop_class.DigitalMammographyXRayImageStorageForPresentation,
    sop_class.DigitalMammographyXRayImageStorageForProcessing,
    sop_class.BreastTomosynthesisImageStorage,
    sop_class.CTImageStorage,
    sop_class.EnhancedCTImageStorage,
    sop_class.LegacyConvertedEnhancedCTImageStorage,
    sop_class.MRImageStorage,
    sop_class.EnhancedMRImageStorage,
    sop_class.EnhancedMRColorImageStorage,
    sop_class.LegacyConvertedEnhancedMRImageStorage,
    sop_class.UltrasoundImageStorage,
    sop_class.UltrasoundMultiFrameImageStorage,
    sop_class.EnhancedUSVolumeStorage,
    sop_class.XRayAngiographicImageStorage,
    sop_class.EnhancedXAImageStorage,
    sop_class.XRayRadiofluoroscopicImageStorage,
    sop_class.EnhancedXRFImageStorage,
    sop_class.SecondaryCaptureImageStorage,
    sop_class.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    sop_class.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    sop_class.MultiFrameTrueColorSecondaryCaptureImageStorage,
)


def accepted_contexts(decodable: Sequence[UID]) -> dict[str, tuple[str, ...]]:
    """What the SCP accepts: transfer syntaxes by SOP class, the preferred first.

    Verification as every DICOM node takes it, and image storage as we can decode it.

    Args:
        decodable: what ``encoders.self_test`` proved, at least one.
    """
    syntaxes = tuple(str(uid) for uid in decodable)
    verification = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))
    return {str(sop_class.Verification): verification} | {
        str(uid): syntaxes for uid in IMAGE_STORAGE
    }
