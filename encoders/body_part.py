"""Which part of the body an image shows, as the object says, and which region that is."""

from typing import Literal

from pydicom.dataset import Dataset

from encoders.elements import items, text
from encoders.functional_groups import groups_of, macro_items

Region = Literal["abdomen", "chest", "neck", "head", "bones"]

REGIONS: tuple[tuple[Region, tuple[str, ...]], ...] = (
    ("abdomen", ("ABD", "PELVI", "LIVER", "KIDNEY", "PANCREAS")),
    ("chest", ("CHEST", "LUNG", "THORAX")),
    ("neck", ("NECK",)),
    ("head", ("HEAD", "BRAIN", "SKULL")),
    ("bones", ("SPINE", "KNEE", "HIP", "SHOULDER", "ELBOW", "WRIST", "ANKLE", "EXTREMITY")),
)
"""Words in a body part and the region that they mean; the first row that fits is taken."""


def region_of(body_part: str | None) -> tuple[Region, str] | None:
    """The region that a body part belongs to and the word that says so, or None."""
    part = (body_part or "").upper()
    found = ((region, word) for region, words in REGIONS for word in words if word in part)
    return next(found, None)


def read_body_part(ds: Dataset, frame: int) -> str | None:
    """Body Part Examined in upper case, else the meaning of the Anatomic Region's code.

    The code stands at the root (PS3.3 C.7.6.2 and others) or, for enhanced objects, in the
    Frame Anatomy macro (C.7.6.16.2.8), the frame's own before the shared one.

    Args:
        ds: the object.
        frame: index of the frame, from 0.

    Raises:
        PixelError: one of the sequences cannot be parsed.
    """
    examined = text(ds, "BodyPartExamined")
    if examined:
        return examined.upper()
    for holder in [ds, *macro_items(groups_of(ds, frame), "FrameAnatomySequence")]:
        for region in items(holder, "AnatomicRegionSequence")[:1]:
            meaning = text(region, "CodeMeaning")
            if meaning:
                return meaning.upper()
    return None
