"""Reading single data elements of an untrusted dataset: a value, nothing, or a named fault."""

import math
import re
import struct
import zlib
from collections.abc import Sequence
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.tag import Tag

from encoders.image import PixelError

# What pydicom and the decoders were seen to raise on damaged input. Named one by one, so that
# a fault of our own making (a NameError, say) is never mistaken for a fault of the file.
READ_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BytesLengthException,
    EOFError,
    ImportError,
    InvalidDicomError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,  # RecursionError and NotImplementedError too
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


def named(keyword: str) -> str:
    """Tag and keyword as the messages give them: ``(0028,1051) WindowWidth``."""
    number = tag_for_keyword(keyword)
    return keyword if number is None else f"{str(Tag(number)).replace(' ', '')} {keyword}"


_QUOTED = re.compile(r"""b?(?:'[^']*'?|"[^"]*"?)""")
_HARMLESS = re.compile(r"'[A-Za-z]{1,2}'")  # a VR or a struct format


def explain(error: BaseException) -> str:
    """What went wrong, on one line: the exception's type and message without values it quotes."""
    if isinstance(error, MemoryError):
        return "it declares more bytes than there are, or than memory is allowed for"
    if isinstance(error, RecursionError):
        return "its sequences are nested too deeply"
    line = _QUOTED.sub(_unquoted, " ".join(str(error).split()))[:300]
    plain = "".join(character for character in line if character.isprintable())
    return f"{type(error).__name__}: {plain or 'no message'}"


def _unquoted(found: re.Match[str]) -> str:
    # what libraries quote is the file's, and may be a patient's name
    return found[0] if _HARMLESS.fullmatch(found[0]) else "'...'"


def value(ds: Dataset, keyword: str) -> Any:
    """The element's value, or None where it is absent or empty.

    Raises:
        PixelError: the element is there and cannot be parsed.
    """
    try:
        found = ds.get(keyword)
    except READ_ERRORS as error:
        raise PixelError(f"{named(keyword)} cannot be parsed ({explain(error)})") from error
    if found is None or (hasattr(found, "__len__") and len(found) == 0):
        return None
    return found


def text(ds: Dataset, keyword: str) -> str | None:
    """The element's first value as text without padding, or None.

    Raises:
        PixelError: the element cannot be parsed.
    """
    strings = texts(ds, keyword)
    return strings[0] or None if strings else None


def texts(ds: Dataset, keyword: str) -> tuple[str, ...]:
    """All values as text without padding; empty where the element is absent.

    Raises:
        PixelError: the element cannot be parsed.
    """
    return tuple(str(item).strip(" \0") for item in _many(value(ds, keyword)))


def numbers(ds: Dataset, keyword: str) -> tuple[float, ...]:
    """All values as finite numbers; empty where the element is absent.

    Raises:
        PixelError: a value is no finite number.
    """
    found = _many(value(ds, keyword))
    try:
        result = tuple(float(item) for item in found)
    except READ_ERRORS as error:
        raise PixelError(f"{named(keyword)} is no number ({explain(error)})") from error
    if not all(map(math.isfinite, result)):
        raise PixelError(f"{named(keyword)} is {result}: not finite; correct it at the sender")
    return result


def number(ds: Dataset, keyword: str) -> float | None:
    """The element's first value as a finite number, or None.

    Raises:
        PixelError: the value is no finite number.
    """
    found = numbers(ds, keyword)
    return found[0] if found else None


def integer(ds: Dataset, keyword: str) -> int | None:
    """The element's first value as an integer, or None.

    Raises:
        PixelError: the value is no whole number.
    """
    found = number(ds, keyword)
    if found is None:
        return None
    if not found.is_integer():
        raise PixelError(f"{named(keyword)} is {found}: not a whole number")
    return int(found)


def items(ds: Dataset, keyword: str) -> Sequence[Dataset]:
    """The items of a sequence, empty where it is absent.

    Raises:
        PixelError: the element is no sequence.
    """
    found = value(ds, keyword)
    if found is None:
        return ()
    if isinstance(found, str | bytes) or not isinstance(found, Sequence):
        raise PixelError(f"{named(keyword)} is no sequence of items")
    if not all(isinstance(item, Dataset) for item in found):
        raise PixelError(f"{named(keyword)} is no sequence of items")
    return found


def _many(found: Any) -> Sequence[Any]:
    if found is None:
        return ()
    if isinstance(found, str | bytes) or not isinstance(found, Sequence):
        return (found,)
    return found
