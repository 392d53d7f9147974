"""The presentation contexts that we accept and propose; the conformance statement prints them.

What the Storage SCP takes: its SOP classes, in the transfer syntaxes that were proved. What we ask
of peers as SCU. What a peer may report to us as the SCP of a class that it asked for.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

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

REPORT_STORAGE: tuple[UID, ...] = (
    sop_class.Comprehensive3DSRStorage,
    sop_class.ComprehensiveSRStorage,
    sop_class.EnhancedSRStorage,
)
"""What a report can be, the richest first (PS3.4 B.5, PS3.3 A.35): where a peer does not take one,
it gets the report as the next."""

PICTURE_STORAGE: UID = sop_class.SecondaryCaptureImageStorage
STORAGE_COMMITMENT: UID = sop_class.StorageCommitmentPushModel
"""PS3.4 J.3."""

UNCOMPRESSED = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
"""What every data set of our own is sent and asked for in, the preferred first."""

GET_MODEL: UID = sop_class.StudyRootQueryRetrieveInformationModelGet
MOVE_MODEL: UID = sop_class.StudyRootQueryRetrieveInformationModelMove
"""PS3.4 C.6.2."""

MOST_CONTEXTS = 128
"""In one association: their identifiers are odd numbers up to 255 (PS3.8 9.3.2.2)."""

Purpose = Literal["verification", "delivery", "storage commitment", "retrieval"]


class RequestedContext(NamedTuple):
    """A presentation context that we propose, as SCU or SCP (PS3.8 9.3.2.2, PS3.7 D.3.3.4).

    ``sop_class`` is its abstract syntax. One transfer syntax each, so that we and not the peer
    choose where it takes both (PS3.8 9.3.3.2 has the acceptor choose within a context).
    """

    purpose: Purpose
    sop_class: UID
    transfer_syntax: UID
    as_scp: bool = False


def requested_contexts() -> tuple[RequestedContext, ...]:
    """All that we propose, but for retrieval; an association proposes what serves its purpose.

    A delivery proposes the report's own SOP class and those after it in ``REPORT_STORAGE``, and
    ``PICTURE_STORAGE`` if there is a picture.
    """
    classes: tuple[tuple[Purpose, tuple[UID, ...]], ...] = (
        ("verification", (sop_class.Verification,)),
        ("delivery", (*REPORT_STORAGE, PICTURE_STORAGE)),
        ("storage commitment", (STORAGE_COMMITMENT,)),
    )
    return tuple(
        RequestedContext(purpose, uid, syntax)
        for purpose, uids in classes
        for uid in uids
        for syntax in UNCOMPRESSED
    )


def move_contexts() -> tuple[RequestedContext, ...]:
    """What is proposed to a peer that is to send images by C-MOVE (PS3.4 C.4.2)."""
    return tuple(RequestedContext("retrieval", MOVE_MODEL, syntax) for syntax in UNCOMPRESSED)


def get_contexts(classes: Sequence[UID], decodable: Sequence[UID]) -> tuple[RequestedContext, ...]:
    """What is proposed to a peer that is to send images by C-GET (PS3.4 C.4.3).

    As many storage ``classes``, the first ones, as an association has room for. Each transfer
    syntax stands in a context of its own, so that the peer can send what it has as it has it.
    """
    model = (RequestedContext("retrieval", GET_MODEL, syntax) for syntax in UNCOMPRESSED)
    room = most_classes(decodable)
    images = (
        RequestedContext("retrieval", uid, syntax, as_scp=True)
        for uid in classes[:room]
        for syntax in decodable
    )
    return (*model, *images)


def most_classes(decodable: Sequence[str]) -> int:
    """How many storage classes the contexts of one C-GET association have room for."""
    return (MOST_CONTEXTS - len(UNCOMPRESSED)) // len(decodable)


def accepted_contexts(decodable: Sequence[UID]) -> dict[str, tuple[str, ...]]:
    """What the SCP accepts: transfer syntaxes by SOP class, the preferred first.

    Verification as every DICOM node takes it, and image storage as we can decode it.

    Args:
        decodable: what ``encoders.self_test`` proved, at least one.
    """
    syntaxes = tuple(str(uid) for uid in decodable)
    return {str(sop_class.Verification): _uncompressed()} | {
        str(uid): syntaxes for uid in IMAGE_STORAGE
    }


def reporting_contexts() -> dict[str, tuple[str, ...]]:
    """What is accepted of a requestor that proposes itself as SCP (PS3.7 D.3.3.4), and only then.

    Of peers that the settings ask for storage commitment: they report its result by
    N-EVENT-REPORT over an association of their own (PS3.4 J.3.3).
    """
    return {str(STORAGE_COMMITMENT): _uncompressed()}


def _uncompressed() -> tuple[str, ...]:
    return tuple(str(uid) for uid in UNCOMPRESSED)
