"""Every kind of report that there is, by name: what the golden trees show and the judges judge."""

from dataclasses import dataclass, field, replace
from typing import Any

from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage

from dicom_node.report.document import References
from dicom_node.report.filing import DocumentReference
from storage.answer import Answer, Label
from tests.dicom_node.answers import (
    CASE_NUMBER,
    CR,
    CT,
    ENHANCED_CT,
    MG,
    MR,
    RETIRED_US,
    SECONDARY_CAPTURE,
    answer,
    answer_about,
    hit,
    image,
    study,
    with_attributes,
)


@dataclass(frozen=True)
class Kind:
    """An answer, and what ``make_report`` is asked beside it."""

    given: Answer
    options: dict[str, Any] = field(default_factory=dict)


PREDECESSOR = DocumentReference("1.2.3.1", "1.2.8", Comprehensive3DSRStorage, "1.2.8.1")
PICTURE = DocumentReference("1.2.3.1", "1.2.10", SECONDARY_CAPTURE, "1.2.10.1")
PSEUDONYMOUS = {"case_number": CASE_NUMBER}
WORDS = {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
ODD_LABELS = (
    Label("x" * 99, 1, "1" * 40, "SCT"),
    Label("a\\b\x00", -1),
    Label("no scheme", 1, "123"),
    Label("of the site", 1, "7", "99SITE"),
    Label("pulmonary oedema", 1, "RID4866", "RadLex"),
    Label("Pleural_Effusion"),
)
ODD_IMAGE = {"modality": "ZZ", "body_part": "LEFT EAR?", "view": "upside down"}
SLICE = {"body_part": "HEAD", "view": None, "slice_rule": "middle by position of 60 slices"}
BREAST = {"body_part": "BREAST", "view": "MLO", "laterality": "L"}

KINDS = {
    "cr": Kind(answer_about(sop_class_uid=CR, modality="CR", view="AP")),
    "ct": Kind(answer_about(sop_class_uid=CT, modality="CT", **SLICE)),
    "mr": Kind(answer_about(sop_class_uid=MR, modality="MR", **SLICE)),
    "enhanced-ct": Kind(
        answer_about(sop_class_uid=ENHANCED_CT, modality="CT", frame_number=31, **SLICE)
    ),
    "mg": Kind(answer_about(sop_class_uid=MG, modality="MG", **BREAST)),
    "retired-us": Kind(answer_about(sop_class_uid=RETIRED_US, modality="US", view=None)),
    "hits-and-priors": Kind(answer()),
    "no-hits": Kind(answer(hits=(), priors=())),
    "nothing-searched": Kind(answer(hits=(), priors=(), searched=0)),
    "priors-only": Kind(answer(hits=())),
    "no-percentile": Kind(answer(hits=(hit(1, 2, percentile=None),), priors=())),
    "prior-in-querys-study": Kind(answer(hits=(), priors=(hit(1, 1),))),
    "bare-header": Kind(answer(query=replace(answer().query, attributes={}), hits=())),
    "japanese": Kind(
        replace(with_attributes(_00100010={"vr": "PN", "Value": [WORDS]}), hits=(), priors=())
    ),
    "odd-text": Kind(
        answer(
            hits=(hit(1, 7, labels=ODD_LABELS, image=image(7, **ODD_IMAGE)),),
            image=image(1, **ODD_IMAGE),
            priors=(),
        )
    ),
    "with-picture": Kind(answer(priors=()), {"refers_to": References(picture=PICTURE)}),
    "revision": Kind(answer(priors=()), {"refers_to": References(PREDECESSOR, PICTURE)}),
    "pseudonymous": Kind(answer(), PSEUDONYMOUS),
    "pseudonymous-old": Kind(
        answer(hits=(hit(1, 7, study=study(7, age=97)),), priors=()), PSEUDONYMOUS
    ),
    "comprehensive": Kind(answer(), {"sop_class_uid": ComprehensiveSRStorage}),
    "enhanced": Kind(answer(), {"sop_class_uid": EnhancedSRStorage}),
}
