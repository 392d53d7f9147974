"""Which part of the body an image shows, as the object says."""

from pydicom.dataset import Dataset

from encoders.elements import items, text
from encoders.functional_groups import groups_of, macro_items


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
