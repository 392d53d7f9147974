"""Mutations of values: well-formed elements that say what makes no sense, or not the truth."""

import struct
from collections.abc import Callable, Mapping, Sequence
from random import Random

from pydicom import uid
from pydicom.datadict import dictionary_VR, tag_for_keyword

from tests.fuzzing.layout import Element, Layout
from tests.fuzzing.reads import is_read
from tests.fuzzing.splices import Splice, encoded, with_value

SIZES = (0, 1, 2, 3, 7, 255, 256, 511, 513, 1024, 4096, 32767, 32768, 46341, 65535)
DECIMALS = (
    "0", "-0", "1", "-1", "0.5", "1e-300", "1e308", "-1e308", "1e309", "NaN", "inf", "-Infinity",
    "", " ", "1\\2\\3", "\\", "-1024", "4294967296", "1e", "0x10", "1,5", "--1", "٣", "9" * 400,
)  # fmt: skip
TEXTS = (
    "", " ", "<script>alert(1)</script>", "\x1b[2J\x07", "\x00\x00", "a\r\nb", "\\" * 100,
    "'; DROP TABLE studies; --", "%s%n", "../../etc/passwd", "\x1b$B\x1b(B", "Ünïcode ☃",
    "\ufeff", "\ud7ff", "A" * 5000, "NaN", "1.2.840.10008", "^^^^^^^^", "=" * 50,
)  # fmt: skip
CHARACTER_SETS = (
    "ISO_IR 100", "ISO_IR 192", "GB18030", "ISO 2022 IR 87", "\\ISO 2022 IR 149", "ISO_IR 13",
    "utf-8", "rot13", "idna", "zip", "\\\\\\", "ISO_IR 192\\ISO 2022 IR 87", "\x00",
)  # fmt: skip
PHOTOMETRIC = (
    "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT",
    "YBR_ICT", "YBR_PARTIAL_420", "HSV", "ARGB", "CMYK", "monochrome2", "MONOCHROME2\\RGB", "",
)  # fmt: skip
# written out, so that a recipe gives the same file whatever is decoded some day
TRANSFER_SYNTAXES = (
    uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian, uid.RLELossless, uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless,
    uid.JPEGLSNearLossless, uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2K,
)  # fmt: skip
NO_TRANSFER_SYNTAXES = (
    "", "1.2.3", "not a UID", "9" * 65, "1.2.840.10008.1.2.4.100", "1.2.840.10008.5.1.4.1.1.2",
)  # fmt: skip
BITS = (0, 1, 2, 7, 8, 9, 10, 12, 13, 15, 16, 17, 24, 32, 33, 64, 255, 65535)

_NUMBERS: Mapping[str, Sequence[int]] = {
    "Rows": SIZES,
    "Columns": SIZES,
    "BitsAllocated": BITS,
    "BitsStored": BITS,
    "HighBit": BITS,
    "SamplesPerPixel": (0, 1, 2, 3, 4, 255, 65535),
    "PixelRepresentation": (0, 1, 2, 65535),
    "PlanarConfiguration": (0, 1, 2, 65535),
    "PixelPaddingValue": (0, 1, 255, 32768, 63536, 65535),
    "PixelPaddingRangeLimit": (0, 1, 255, 32768, 65535),
}
_STRINGS: Mapping[str, Sequence[str]] = {
    "NumberOfFrames": ("0", "-1", "2", "10", "11", "65536", "2147483648", "9" * 12, "NaN", "1.5"),
    "PhotometricInterpretation": PHOTOMETRIC,
    "WindowCenter": DECIMALS,
    "WindowWidth": DECIMALS,
    "RescaleSlope": DECIMALS,
    "RescaleIntercept": DECIMALS,
    "VOILUTFunction": ("LINEAR", "LINEAR_EXACT", "SIGMOID", "CUBIC", "linear", "", "A" * 5000),
    "RescaleType": ("HU", "US", "", "OD", "\x00"),
    "PresentationLUTShape": ("IDENTITY", "INVERSE", "LIN OD", "", "inverse"),
    "Modality": ("CT", "MR", "DX", "SR", "", "ct", "CT\\MR", "<b>", "\x00"),
    "BodyPartExamined": ("HEAD", "CHEST", "", *TEXTS),
    "SpecificCharacterSet": CHARACTER_SETS,
}
_GEOMETRY = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "InstanceNumber")


def set_number(layout: Layout, rng: Random) -> Sequence[Splice]:
    """A binary number that describes the pixels gets another value, or two, or none."""
    keyword = rng.choice(list(_NUMBERS))
    count = rng.choice((1, 1, 1, 1, 0, 2))
    numbers = [rng.choice(_NUMBERS[keyword]) for _ in range(count)]
    return _set(layout, rng, keyword, "US", lambda order: struct.pack(f"{order}{count}H", *numbers))


def set_string(layout: Layout, rng: Random) -> Sequence[Splice]:
    """A text or decimal string that the pipeline reads gets another value."""
    keyword = rng.choice(list(_STRINGS))
    value = rng.choice(_STRINGS[keyword]).encode("utf-8")
    vr = dictionary_VR(tag_for_keyword(keyword) or 0)
    return _set(layout, rng, keyword, vr, lambda order: value)


def set_geometry(layout: Layout, rng: Random) -> Sequence[Splice]:
    """Positions and numbers by which slices are chosen get other values."""
    keyword = rng.choice(_GEOMETRY)
    count = rng.choice((1, 2, 3, 6, 7))
    value = "\\".join(rng.choice(DECIMALS) for _ in range(count)).encode("utf-8")
    return _set(layout, rng, keyword, "DS", lambda order: value)


def set_lookup_table(layout: Layout, rng: Random) -> Sequence[Splice]:
    """A table's descriptor or data: counts, first values and bits that do not fit."""
    tables = [e for e in layout.leaves() if _is_table(e)]
    if not tables:
        return set_string(layout, rng)
    element = rng.choice(tables)
    order = element.head.encoding.order
    if "Descriptor" in element.head.keyword:
        numbers = [rng.choice((0, 1, 8, 12, 16, 17, 255, 256, 4096, 32768, 65535)) for _ in "abc"]
        return with_value(element, struct.pack(f"{order}3H", *numbers))
    data = layout.data[element.head.value_at : element.end]
    return with_value(element, data[: rng.choice((0, 1, 2, 3, len(data) // 2, len(data) - 1))])


def set_transfer_syntax(layout: Layout, rng: Random) -> Sequence[Splice]:
    """The file says that it is encoded otherwise."""
    known = rng.choice(TRANSFER_SYNTAXES if rng.random() < 0.8 else NO_TRANSFER_SYNTAXES)
    return _set(layout, rng, "TransferSyntaxUID", "UI", lambda order: known.encode())


def set_text(layout: Layout, rng: Random) -> Sequence[Splice]:
    """Any element gets a hostile text: script, controls, other alphabets, far too long."""
    encoding = rng.choice(("utf-8", "utf-8", "latin-1", "shift-jis", "utf-16"))
    value = rng.choice(TEXTS).encode(encoding, "replace")
    return with_value(rng.choice(layout.leaves() or layout.elements), value)


def set_unread(layout: Layout, rng: Random) -> Sequence[Splice]:
    """An element that has no say in the pixels gets a hostile text or noise, well-formed."""
    unread = [element for element in layout.leaves() if not is_read(element)]
    if not unread:
        return []
    element = rng.choice(unread)
    size = element.end - element.head.value_at
    if rng.random() < 0.5:
        return with_value(element, rng.randbytes(size))
    return with_value(element, rng.choice(TEXTS).encode("utf-8"))


def empty_value(layout: Layout, rng: Random) -> Sequence[Splice]:
    """Any element loses its value."""
    return with_value(rng.choice(layout.leaves() or layout.elements), b"")


def _set(
    layout: Layout, rng: Random, keyword: str, vr: str, value: Callable[[str], bytes]
) -> Sequence[Splice]:
    """One of the elements of that keyword gets the value, or one is put in at the root."""
    tag = tag_for_keyword(keyword) or 0
    there = [element for element in layout.leaves() if element.head.tag == tag]
    if there:
        element = rng.choice(there)
        return with_value(element, value(element.head.encoding.order))
    behind = [e for e in layout.elements if not e.inside and e.head.tag > tag]
    if not behind:
        return []
    head = min(behind, key=lambda element: element.head.at).head
    data = value(head.encoding.order)
    new = encoded(tag, vr, data + b" " * (len(data) % 2), head.encoding)
    return [Splice(head.at, head.at, new)]


def _is_table(element: Element) -> bool:
    parts = ("LUTData", "Descriptor", "LookupTableData")
    return any(part in element.head.keyword for part in parts)
