"""Stored elements, in the DICOM JSON model (PS3.18 F.2), under the VRs that are their own.

A sender may write any element under any VR in Explicit VR, and an archive files by what stands
there all the same.
"""

import base64
from collections.abc import Mapping
from typing import Any

from pydicom.datadict import dictionary_has_tag, dictionary_VR

Element = Mapping[str, Any]

_TEXT = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM"})
_TEXT |= {"UC", "UI", "UR", "UT"}


def under_own_vr(tag: str, element: Element) -> Element:
    """An element, of eight hexadecimal digits, under its own VR; empty where the value is none.

    Text under another VR stays the same text, and bytes are read as text where they are printable
    ASCII. The items of a sequence are treated so, too, and keep texts and sequences only.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it is no element.
    """
    own, vr = dictionary_VR(int(tag, 16)), element["vr"]
    if vr == own == "SQ":
        return {"vr": own, "Value": [_item(item or {}) for item in element.get("Value", ())]}
    if vr == own:
        return element
    texts = _texts(element) if own in _TEXT else []
    if own == "PN":
        return {"vr": own, "Value": [{"Alphabetic": text} for text in texts]}
    return {"vr": own, "Value": texts}


def _item(item: Mapping[str, Element]) -> dict[str, Element]:
    return {tag: under_own_vr(tag, element) for tag, element in item.items() if _is_kept(tag)}


def _is_kept(tag: str) -> bool:
    number = int(tag, 16)
    return dictionary_has_tag(number) and dictionary_VR(number) in {*_TEXT, "SQ"}


def _texts(element: Element) -> list[str]:
    if "InlineBinary" in element:
        text = printable(base64.b64decode(element["InlineBinary"]))
        return [text] if text else []
    values = element.get("Value", ()) if element["vr"] in _TEXT else ()
    texts = [value.get("Alphabetic") if isinstance(value, Mapping) else value for value in values]
    return [str(text) for text in texts if text is not None]


def printable(value: bytes) -> str | None:
    """The text that bytes are in printable ASCII, without their padding; None if they are none."""
    bare = value.rstrip(b" \0")
    text = bare.decode("ascii") if bare.isascii() else "\0"
    return text if text.isprintable() else None
