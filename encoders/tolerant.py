"""Reading optional header values of an untrusted dataset: a value, or None where it is damaged."""

from collections.abc import Callable
from typing import TypeVar

from pydicom.dataset import Dataset

from encoders.elements import items, numbers, text, texts
from encoders.image import PixelError

T = TypeVar("T")
Vector = tuple[float, ...]

LONGEST_TEXT = 80


def tolerant(read: Callable[[Dataset, str], T], ds: Dataset, keyword: str) -> T | None:
    """What ``read`` (a function of ``encoders.elements``) finds, or None where it raises."""
    try:
        return read(ds, keyword)
    except PixelError:
        return None


def clean_text(ds: Dataset, keyword: str) -> str | None:
    """The first value as text that a database takes, at most ``LONGEST_TEXT`` characters."""
    found: str | None = tolerant(text, ds, keyword)
    return clean(found or "") or None


def clean_texts(ds: Dataset, keyword: str) -> tuple[str, ...]:
    """All values as such text, upper case: for code strings (CS)."""
    return tuple(clean(part).upper() for part in tolerant(texts, ds, keyword) or ())


def vector(ds: Dataset, keyword: str, length: int) -> Vector | None:
    """The values, where they are ``length`` finite numbers."""
    found = tolerant(numbers, ds, keyword) or ()
    return found if len(found) == length else None


def first_item(ds: Dataset, keyword: str) -> Dataset | None:
    """The first item of a sequence, or None where there is none."""
    return next(iter(tolerant(items, ds, keyword) or ()), None)


def clean(found: str) -> str:
    """Text without what PostgreSQL's JSONB refuses: NUL and lone surrogates."""
    return found.replace("\0", "").encode("utf-8", "replace").decode()[:LONGEST_TEXT].strip()
