"""The pictures on the contact sheet: which may be shown, and how they get into their box."""

import io
import struct
import zlib

from PIL import Image

from storage.answer import ImageReference
from storage.pictures import Pictures

LARGEST = 4096  # pixels of a side; the node's own pictures have 512
MOST_ENLARGED = 3  # times: a larger picture of few pixels shows no more
GONE = "Picture no longer kept"
DAMAGED = "Picture cannot be read"
WITHHELD = "Picture withheld: it may carry burned-in text"

# Modalities (PS3.3 C.7.3.1.1.1) whose images normally hold nothing but the body.
_USUALLY_CLEAN = frozenset({"CT", "MR", "PT", "NM", "CR", "DX", "MG", "PX", "IO", "BMD"})
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"  # and, under it, the multi-frame ones

_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
"""What Pillow raises of a file that is no PNG, or a broken one."""


class PictureError(Exception):
    """A picture cannot be shown; the message is what stands in its place."""


def thumbnail(
    image: ImageReference, pictures: Pictures, side: int, *, withhold: bool
) -> Image.Image:
    """The picture of an image, mode "L", in its own proportions within a square of ``side``.

    ``withhold``: leave out what may carry burned-in text.

    Raises:
        PictureError: it is withheld, not there, or damaged.
    """
    if withhold and may_carry_text(image):
        raise PictureError(WITHHELD)
    png = pictures.get((image.sop_instance_uid, image.frame_number))
    if not png:
        raise PictureError(GONE)
    return _fitted(_decoded(png), side)


def may_carry_text(image: ImageReference) -> bool:
    """Whether the image's pixels may name a patient.

    Burned In Annotation (0028,0301) decides where the object has it: only NO clears it. Without
    it "the image may or may not contain burned in annotation" (PS3.3 C.7.6.1), and the kind of
    image decides. PS3.15 E.3.1, Clean Pixel Data, notes that CT images do not normally contain
    it and ultrasound images routinely do; de-identification in practice (the filters and the
    pixel scripts of RSNA's CTP) sets aside ultrasound, secondary captures and screen saves. Here
    cross-sectional images, nuclear medicine and plain radiographs as acquired are taken to be
    clean; all others are not: ultrasound, secondary capture, endoscopy, photographs, and
    angiography and fluoroscopy (XA, RF), whose systems draw names and times into frames.
    """
    if image.burned_in:
        return image.burned_in != "NO"
    if image.sop_class_uid == _SECONDARY_CAPTURE:
        return True
    if image.sop_class_uid.startswith(_SECONDARY_CAPTURE + "."):
        return True
    return image.modality not in _USUALLY_CLEAN


def _decoded(png: bytes) -> Image.Image:
    """The PNG's pixels. Its size is looked at first: Pillow makes room for whatever it says."""
    try:
        if max(struct.unpack(">II", png[16:24])) > LARGEST:  # PNG, 3rd edition, 11.2.1
            raise PictureError(DAMAGED)
        with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
            return picture.convert("L")
    except _DAMAGE as error:
        raise PictureError(DAMAGED) from error


def _fitted(picture: Image.Image, side: int) -> Image.Image:
    """Reduced by area without ringing, or enlarged a little by plain linear interpolation."""
    scale = min(side / max(picture.size), MOST_ENLARGED)
    kind = Image.Resampling.HAMMING if scale < 1 else Image.Resampling.BILINEAR
    wide, high = (max(1, round(length * scale)) for length in picture.size)
    return picture.resize((wide, high), kind)
