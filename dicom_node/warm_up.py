"""One made-up study through encoder and report before the first real one comes.

The first forward pass and the first report of a process read tables and plan kernels, some half
a second; and a node that can do neither should say so at its start, not at its first study.
"""

import numpy as np
from pydicom.uid import UID, ComputedRadiographyImageStorage

from dicom_node.report.device import Device
from dicom_node.report.documents import encoded, make_documents
from dicom_node.settings import ReportSettings
from encoders.checked import CheckedEncoder
from encoders.image import GrayscaleImage
from encoders.precomputed import THE_FILES_OWN
from storage.answer import Answer, ImageReference, SpaceSummary, StudyRecord

_STUDY, _SERIES, _IMAGE = (UID(f"2.25.{number}") for number in range(1, 4))
_SIDE = 64


def warm_up(
    encoder: CheckedEncoder, space: SpaceSummary, device: Device, rules: ReportSettings
) -> None:
    """Embeds a made-up image and makes a report without hits by ``rules``; both are thrown away.

    Raises:
        EncoderError: the encoder gives no usable vector.
    """
    # a ramp: an even image may be all zeros to a network, which has no vector of unit length
    ramp = np.tile(np.linspace(0, 1, _SIDE, dtype=np.float32), (_SIDE, 1))
    if encoder.space.window_rule != THE_FILES_OWN:  # a file of vectors has none for a made-up one
        encoder.embed([GrayscaleImage(ramp)])
    made = make_documents(_answer_without_hits(space), device=device, rules=rules, pictures=dict)
    for document in (made.report, made.picture):
        if document is not None:
            encoded(document)


def _answer_without_hits(space: SpaceSummary) -> Answer:
    study = StudyRecord(
        id=0,
        study_instance_uid=_STUDY,
        patient_id="",
        issuer_of_patient_id="",
        sex=None,
        age=None,
        study_date=None,
        description=None,
        attributes={"0020000D": {"vr": "UI", "Value": [str(_STUDY)]}},
    )
    image = ImageReference(_SERIES, ComputedRadiographyImageStorage, _IMAGE, None, "CR")
    return Answer(study, image, space, searched=0, asked=1, level=0.0, hits=(), priors=())
