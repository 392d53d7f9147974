"""The codes that a report speaks in: our private scheme, and the standard's where there is one.

The standard has no code for image similarity, so what has none is in one private coding scheme
(PS3.16 section 8.2), which ``docs/private-codes.md`` publishes.
"""

import unicodedata
from enum import Enum
from functools import cache

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

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
    PICTURE = Code("123", SCHEME, "Picture of the answer")
    CHOICE = Code("124", SCHEME, "Choice of the image")
    RANK = Code("130", SCHEME, "Rank")
    SIMILARITY = Code("131", SCHEME, "Cosine similarity")
    PERCENTILE = Code("132", SCHEME, "Percentile of the similarity")
    SEARCHED = Code("133", SCHEME, "Studies searched")
    ASKED = Code("134", SCHEME, "Studies asked for")
    RETURNED = Code("135", SCHEME, "Studies returned")
    WITH_LABEL = Code("136", SCHEME, "Similar studies with the label")
    LABEL = Code("140", SCHEME, "Label")
    CASE_NUMBER = Code("141", SCHEME, "Case number")


# CID 100, extended by two imaging procedures that it does not name
_PROCEDURES: dict[str, Code] = {
    "CT": codes.cid100.CTUnspecifiedBodyRegion,
    "MR": codes.cid100.MRIUnspecifiedBodyRegion,
    "CR": codes.cid100.XRUnspecifiedBodyRegion,
    "DX": codes.cid100.XRUnspecifiedBodyRegion,
    "XA": codes.cid100.Angiography,
    "MG": codes.SCT.Mammography,
    "US": codes.SCT.Ultrasonography,
    "NM": codes.cid100.NMUnspecifiedBodyRegion,
    "PT": codes.cid100.PETUnspecifiedBodyRegion,
}

_SEXES: dict[str, Code] = {  # PS3.3 C.7.1.1, Patient's Sex, in the codes of CID 7455
    "M": codes.cid7455.Male,
    "F": codes.cid7455.Female,
    "O": codes.cid7455.OtherSex,
}

# PS3.3 C.8.1.2 and C.8.11.7, View Position, in the codes of CID 4010 and 4014
_VIEWS: dict[str, Code] = {
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
    "LMO": codes.cid4014.LateroMedialOblique,
    "SIO": codes.cid4014.SuperolateralToInferomedialOblique,
    "ISO": codes.cid4014.InferomedialToSuperolateralOblique,
    "XCCL": codes.cid4014.CranioCaudalExaggeratedLaterally,
    "XCCM": codes.cid4014.CranioCaudalExaggeratedMedially,
}

_LATERALITIES: dict[str, Code] = {  # PS3.3 C.7.3.1, Image Laterality; U, unpaired, has no side
    "R": codes.cid244.Right,
    "L": codes.cid244.Left,
    "B": codes.cid244.Bilateral,
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


def procedure_code(modality: str) -> Code:
    """The imaging procedure that a modality carries out (CID 100): what the report is about."""
    default: Code = codes.cid100.ImagingProcedure
    return _PROCEDURES.get(modality, default)


def sex_code(sex: str | None) -> Code | None:
    """The code of a Patient's Sex value (CID 7455), or None."""
    return _SEXES.get(sex or "")


def view_term(view: str | None) -> str | None:
    """The defined term that a View Position is, as the standard writes it, or None."""
    term = (view or "").strip().upper()
    return term if term in _VIEWS else None


def view_code(view: str | None) -> Code | None:
    """The code of a View Position (CID 4010, CID 4014), or None."""
    return _VIEWS.get(view_term(view) or "")


def laterality_code(laterality: str | None) -> Code | None:
    """The code of an Image Laterality (CID 244), or None where there is no side to tell."""
    return _LATERALITIES.get((laterality or "").strip().upper())


@cache
def modality_code(modality: str) -> Code | None:
    """The code of a Modality (CID 33), or None for one that the standard does not name."""
    known = (getattr(codes.cid33, keyword) for keyword in codes.cid33.dir())
    return next((code for code in known if code.value == modality), None)


def body_part_term(body_part: str | None) -> str | None:
    """The letters of a Body Part Examined where they are a term with a code, or None.

    What else stands beside them, digits and signs, is none of the term and may be anything.
    """
    term = _letters(body_part or "")
    return term if body_part_code(term) else None


def _letters(text: str) -> str:
    return "".join(c for c in text.upper() if c.isalpha())


@cache
def body_part_code(body_part: str) -> Code | None:
    """The code of a Body Part Examined (PS3.16 annex L, CID 4031), or None."""
    term = _letters(body_part)
    wanted = _BODY_PARTS.get(term, term).lower()
    keyword = next((k for k in codes.cid4031.dir() if k.lower() == wanted), None)
    return getattr(codes.cid4031, keyword) if keyword else None
