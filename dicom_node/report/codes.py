"""The codes that a report speaks in: our private scheme, and the standard's where there is one.

The standard has no code for image similarity, so what has none is in one private coding scheme
(PS3.16 section 8.2), which ``docs/private-codes.md`` publishes.
"""

import unicodedata
from enum import Enum
from functools import cache

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from storage.answer import Label

SCHEME = "99LIKENESS"
LONG_STRING = 64  # characters in an LO, the VR of Code Meaning (PS3.5 table 6.2-1)
SHORT_STRING = 16  # characters in an SH, the VR of Coding Scheme Designator


class Private(Enum):
    """Every code of the private scheme. Published values never change their meaning."""

    SIMILAR_FOUND = Code("110", SCHEME, "Similar studies found")
    NONE_FOUND = Code("111", SCHEME, "No similar study")
    SIMILAR_STUDY = Code("112", SCHEME, "Similar study")
    PRIOR_STUDY = Code("113", SCHEME, "Prior study of the same patient")
    QUERY_IMAGE = Code("120", SCHEME, "Query image")
    SIMILAR_IMAGE = Code("121", SCHEME, "Image of a similar study")
    PRIOR_IMAGE = Code("122", SCHEME, "Image of a prior study")
    RANK = Code("130", SCHEME, "Rank")
    SIMILARITY = Code("131", SCHEME, "Cosine similarity")
    PERCENTILE = Code("132", SCHEME, "Percentile of the similarity")
    SEARCHED = Code("133", SCHEME, "Studies searched")
    ASKED = Code("134", SCHEME, "Studies asked for")
    RETURNED = Code("135", SCHEME, "Studies returned")
    WITH_LABEL = Code("136", SCHEME, "Similar studies with the label")
    LABEL = Code("140", SCHEME, "Label")


_PRESENCE: dict[int, Code] = {
    1: codes.cid240.Present,
    0: codes.cid240.Absent,
    -1: codes.cid240.Undetermined,
}

_PROCEDURES: dict[
    str, Code
] = {  # CID 100, extended by two imaging procedures that it does not name
    "CT": codes.cid100.CTUnspecifiedBodyRegion,
    "MR": codes.cid100.MRIUnspecifiedBodyRegion,
    "CR": codes.cid100.XRUnspecifiedBodyRegion,
    "DX": codes.cid100.XRUnspecifiedBodyRegion,
    "XA": codes.cid100.Angiography,
    "MG": codes.SCT.Mammography,
    "US": codes.SCT.Ultrasonography,
}

_SEXES: dict[str, Code] = {  # PS3.3 C.7.1.1, Patient's Sex, in the codes of CID 7455
    "M": codes.cid7455.Male,
    "F": codes.cid7455.Female,
    "O": codes.cid7455.OtherSex,
}

_VIEWS: dict[
    str, Code
] = {  # PS3.3 C.8.1.2 and C.8.11.7, View Position, in the codes of CID 4010 and 4014
    "AP": codes.cid4010.AnteroPosterior,
    "PA": codes.cid4010.PosteroAnterior,
    "LL": codes.cid4010.LeftLateral,
    "RL": codes.cid4010.RightLateral,
    "LAT": codes.cid4010.LateralProjection,
    "LATERAL": codes.cid4010.LateralProjection,
    "CC": codes.cid4014.CranioCaudal,
    "MLO": codes.cid4014.MedioLateralObliqueProjection,
    "ML": codes.cid4014.MedioLateralProjection,
    "LM": codes.cid4014.LateroMedial,
    "FB": codes.cid4014.CaudoCranial,
}

_BODY_PARTS = {  # PS3.16 annex L, defined terms whose keyword in CID 4031 is another word
    "ABDOMENPELVIS": "AbdomenAndPelvis",
    "ANKLE": "AnkleJoint",
    "ARM": "UpperArm",
    "CHESTABDOMEN": "ChestAndAbdomen",
    "CHESTABDPELVIS": "ChestAbdomenAndPelvis",
    "CSPINE": "CervicalSpine",
    "ELBOW": "ElbowJoint",
    "HEADNECK": "HeadAndNeck",
    "JAW": "JawRegion",
    "LEG": "LowerLeg",
    "LSPINE": "LumbarSpine",
    "LSSPINE": "LumboSacralSpine",
    "NECKCHEST": "NeckAndChest",
    "ORBIT": "OrbitalStructure",
    "TSPINE": "ThoracicSpine",
    "WHOLEBODY": "EntireBody",
    "WRIST": "WristJoint",
}


def clean(text: str) -> str:
    """Take out what no text VR may hold: control characters other than line ends (PS3.5 6.1.3)."""
    return "".join(c if c.isprintable() or c in "\r\n" else " " for c in text).strip()


def fit(text: str, limit: int = LONG_STRING) -> str:
    r"""Text for a short VR: one line, no backslash, at most ``limit`` characters (PS3.5 6.2).

    A backslash would part the value in two, so it becomes a slash. What is too long is cut before
    a whole character, never between a letter and its combining marks, and ends in three dots.
    """
    text = " ".join(clean(text).replace("\\", "/").split())
    if len(text) <= limit:
        return text
    end = limit - len("...")
    while end > 0 and unicodedata.combining(text[end]):
        end -= 1
    return text[:end].rstrip() + "..."


def scheme_items(labels: list[Label]) -> list[CodingSchemeIdentificationItem]:
    """Items of the Coding Scheme Identification Sequence (PS3.3 C.12.1.1.7): ours, and any
    private scheme that a label brings along."""
    ours = CodingSchemeIdentificationItem(
        designator=SCHEME,
        name="Likeness codes for image retrieval",
        version="1",
        responsible_organization="Likeness project",
    )
    concepts = (concept_of(label) for label in labels)
    found = {c.scheme_designator for c in concepts if c} - {SCHEME}
    private = sorted(name for name in found if name.startswith("99"))
    return [ours, *(CodingSchemeIdentificationItem(designator=name) for name in private)]


def concept_of(label: Label) -> Code | None:
    """The coded concept of a label, or None where no usable code is known."""
    value = fit(label.code or "", 1024)
    scheme = fit(label.scheme or "", 1024)
    meaning = fit(label.name)
    if not (value and scheme and meaning) or len(scheme) > SHORT_STRING:
        return None
    return Code(value, scheme, meaning)


def presence(value: int) -> Code:
    """Present, absent or undetermined (CID 240) for a label's 1, 0 or -1."""
    return _PRESENCE.get(value, _PRESENCE[-1])


def procedure_code(modality: str) -> Code:
    """The imaging procedure that a modality carries out (CID 100): what the report is about."""
    default: Code = codes.cid100.ImagingProcedure
    return _PROCEDURES.get(modality, default)


def sex_code(sex: str | None) -> Code | None:
    """The code of a Patient's Sex value (CID 7455), or None."""
    return _SEXES.get(sex or "")


def view_code(view: str | None) -> Code | None:
    """The code of a View Position (CID 4010, CID 4014), or None."""
    return _VIEWS.get((view or "").strip().upper())


@cache
def modality_code(modality: str) -> Code | None:
    """The code of a Modality (CID 33), or None for one that the standard does not name."""
    known = (getattr(codes.cid33, keyword) for keyword in codes.cid33.dir())
    return next((code for code in known if code.value == modality), None)


@cache
def body_part_code(body_part: str) -> Code | None:
    """The code of a Body Part Examined (PS3.16 annex L, CID 4031), or None."""
    term = "".join(c for c in body_part.upper() if c.isalpha())
    wanted = _BODY_PARTS.get(term, term).lower()
    keyword = next((k for k in codes.cid4031.dir() if k.lower() == wanted), None)
    return getattr(codes.cid4031, keyword) if keyword else None
