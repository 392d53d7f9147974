"""What the Storage SCP takes: SOP classes and transfer syntaxes, the one table of both."""

from pydicom.uid import UID
from pynetdicom import sop_class
from pynetdicom.presentation import PresentationContext, build_context

from encoders.decodable import transfer_syntaxes

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


def accepted_contexts() -> list[PresentationContext]:
    """The presentation contexts of the SCP: Verification, and image storage as we can decode it."""
    decodable = list(transfer_syntaxes())
    return [
        build_context(sop_class.Verification),
        *(build_context(uid, decodable) for uid in IMAGE_STORAGE),
    ]
