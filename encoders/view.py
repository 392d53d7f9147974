"""The view and the side of a radiograph, as the object says them."""

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from encoders.functional_groups import groups_of
from encoders.image import PixelError
from encoders.tolerant import clean_text, first_item

# Short words: View Position's own (PS3.3 C.8.1.2) for projections of CID 4010, and for
# mammography the ACR equivalents that PS3.16 CID 4014 lists beside its codes.
_SHORT: tuple[tuple[Code, str], ...] = (
    (codes.cid4010.AnteroPosterior, "AP"),
    (codes.cid4010.PosteroAnterior, "PA"),
    (codes.cid4010.LeftLateral, "LL"),
    (codes.cid4010.RightLateral, "RL"),
    (codes.cid4014.CranioCaudal, "CC"),
    (codes.cid4014.MedioLateralObliqueProjection, "MLO"),
    (codes.cid4014.MedioLateralProjection, "ML"),
    (codes.cid4014.LateroMedial, "LM"),
    (codes.cid4014.LateroMedialOblique, "LMO"),
    (codes.cid4014.CaudoCranial, "FB"),
    (codes.cid4014.SuperolateralToInferomedialOblique, "SIO"),
    (codes.cid4014.InferomedialToSuperolateralOblique, "ISO"),
    (codes.cid4014.CranioCaudalExaggeratedLaterally, "XCCL"),
    (codes.cid4014.CranioCaudalExaggeratedMedially, "XCCM"),
)

# PS3.16 names three designators of SNOMED; SNM3 and SRT are to be taken as one (CID 4014, note).
_SRT = "SRT"
_SNOMED_OF_OLD = frozenset({"SNM3", _SRT, "99SDM"})


def read_view(ds: Dataset) -> str | None:
    """The view: View Position (0018,5101), else the first View Code Sequence (0054,0220) item.

    View Position is given back as it is written (PS3.3 C.8.1.2 for CR, C.8.11.5.1.1 for DX). A
    code becomes View Position's word where there is one (AP, PA, LL, RL; CC, MLO, ... for the
    mammography views of C.8.11.7), else the meaning that PS3.16 CID 4010 or 4014 gives it, else
    the meaning that the object gives. View modifiers are not read, and Patient Orientation is
    no view: nothing is guessed. Damaged values and sequences give None.
    """
    return clean_text(ds, "ViewPosition") or _coded_view(ds)


def read_laterality(ds: Dataset) -> str | None:
    """The side (R, L, B, U): of the image, the series, or the first frame, in this order.

    Image Laterality (0020,0062, PS3.3 C.8.11.1 and C.8.11.7), Laterality (0020,0060,
    C.7.3.1), Frame Laterality (0020,9072) of the Frame Anatomy macro (C.7.6.16.2.8).
    """
    return clean_text(ds, "ImageLaterality") or clean_text(ds, "Laterality") or _frame_side(ds)


def _coded_view(ds: Dataset) -> str | None:
    item = first_item(ds, "ViewCodeSequence")
    if item is None:
        return None
    meaning = clean_text(item, "CodeMeaning")
    value, scheme = clean_text(item, "CodeValue"), clean_text(item, "CodingSchemeDesignator")
    if value is None or scheme is None:
        return meaning
    code = Code(value, _SRT if scheme in _SNOMED_OF_OLD else scheme, "")
    return _short(code) or _standard_meaning(code) or meaning


def _short(code: Code) -> str | None:
    return next((word for known, word in _SHORT if known == code), None)


def _standard_meaning(code: Code) -> str | None:
    groups = (codes.cid4010, codes.cid4014)
    known = (getattr(group, keyword) for group in groups for keyword in group.dir())
    return next((str(one.meaning) for one in known if one == code), None)


def _frame_side(ds: Dataset) -> str | None:
    try:
        groups = groups_of(ds, 0)
    except PixelError:
        return None
    anatomy = (first_item(group, "FrameAnatomySequence") for group in groups)
    sides = (clean_text(item, "FrameLaterality") for item in anatomy if item is not None)
    return next((side for side in sides if side), None)
