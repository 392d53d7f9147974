"""What a question over HTTP asks for: how many hits, narrowed to what, refined by which marks."""

import re
from collections.abc import Callable, Collection, Sequence
from datetime import date
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from dicom_node.http.requests import is_uid
from storage.filters import Filters
from storage.search import Marks, Strategy, Wish

MOST_HITS = 100
MOST_AGE = 999
"""PS3.5 6.2, VR AS: three digits."""
MOST_VALUES = 50
MOST_CHARACTERS = 256
MOST_NAME_CHARACTERS = 64
BY_FEEDBACK = "feedback"
"""What ``refine`` takes: the marks that this reader gave to the study's hits."""
SEXES = ("F", "M", "O")
"""PS3.3 C.2.2.3, Patient's Sex."""

SEVERAL = {"modality": "modalities", "body_part": "body_parts", "view": "views", "label": "labels"}
"""Parameters that may be given several times (any of the values fits), and their filters.

``label.0=A&label.1=B`` says the same as ``label=A&label=B``: what passes requests on may keep but
one value of a name, as Orthanc does.
"""


UIDS = ("also", "more", "less")
"""Parameters that name studies, each of them any number of times, numbered or not as above."""


def asked(request: Request, extra: Collection[str] = (), *, without: Collection[str] = ()) -> Wish:
    """The parameters of a question.

    An empty value asks for nothing, as forms send it.

    Args:
        request: whose query they stand in.
        extra: names others that the path takes.
        without: names those that it does not take.

    Raises:
        HTTPException: 422, a parameter is unknown, malformed, given too often or contradicts
            another; the detail names all that is wrong.
    """
    given: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        given.setdefault(_unnumbered(name), []).extend([value] if value else [])
    unknown = [name for name in given if name not in {*_READ, *extra} - {*without}]
    faults = [f"{_shown(name)}: no such parameter" for name in unknown[:MOST_VALUES]]
    found: dict[str, Any] = {}
    for name in given.keys() & _READ.keys():
        try:
            if given[name]:
                found[name] = _READ[name](given[name])
        except ValueError as fault:
            faults.append(f"{name}: {fault}")
    faults += _contradictions(found)
    if faults:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(sorted(faults)))
    more, less = found.pop("more", ()), found.pop("less", ())
    marks = Marks(more, less, by_reader=bool(found.pop("refine", None)))
    k, also = found.pop("k", None), found.pop("also", ())
    strategy = found.pop("strategy", Strategy.NEAREST)
    filters = Filters(**{SEVERAL.get(name, name): value for name, value in found.items()})
    return Wish(k, filters, also, marks, strategy)


def _unnumbered(name: str) -> str:
    base, _, number = name.partition(".")
    return base if base in {*SEVERAL, *UIDS} and re.fullmatch("[0-9]{1,3}", number) else name


def _shown(name: str) -> str:
    """A parameter's name as it came, but short and in one line."""
    return ascii(name[:MOST_NAME_CHARACTERS])


def _contradictions(found: dict[str, Any]) -> list[str]:
    pairs = (("age_min", "age_max"), ("date_from", "date_to"))
    marks = [name for name in ("more", "less") if name in found and "refine" in found]
    return [f"refine: takes the reader's marks, and {name} others" for name in marks] + [
        f"{low}: is more than {high}"
        for low, high in pairs
        if low in found and high in found and found[low] > found[high]
    ]


def _texts(values: Sequence[str]) -> tuple[str, ...]:
    if len(values) > MOST_VALUES:
        raise ValueError(f"given more than {MOST_VALUES} times")
    for value in values:
        if len(value) > MOST_CHARACTERS or not value.isprintable():
            raise ValueError(f"takes up to {MOST_CHARACTERS} printable characters")
        if "\ufffd" in value:
            raise ValueError("is not UTF-8")
    return tuple(dict.fromkeys(values))


def _uids(values: Sequence[str]) -> tuple[str, ...]:
    found = _texts(values)
    if not all(is_uid(value) for value in found):
        raise ValueError("takes Study Instance UIDs")
    return found


def _refine(values: Sequence[str]) -> str:
    text = _one(values)
    if text != BY_FEEDBACK:
        raise ValueError(f"takes {BY_FEEDBACK}")
    return text


def _strategy(values: Sequence[str]) -> Strategy:
    text = _one(values)
    if text not in list(Strategy):
        raise ValueError(f"takes one of {', '.join(Strategy)}")
    return Strategy(text)


def _one(values: Sequence[str]) -> str:
    if len(values) > 1:
        raise ValueError("given more than once")
    return values[0]


def _whole(least: int, most: int) -> Callable[[Sequence[str]], int]:
    def read(values: Sequence[str]) -> int:
        text = _one(values)
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"takes a whole number from {least} to {most}")
        return int(text)

    return read


def _sex(values: Sequence[str]) -> str:
    text = _one(values)
    if text not in SEXES:
        raise ValueError(f"takes one of {', '.join(SEXES)}")
    return text


def _day(values: Sequence[str]) -> date:
    text = _one(values)
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError("takes a date as YYYY-MM-DD")


_READ: dict[str, Callable[[Sequence[str]], object]] = {
    **dict.fromkeys(SEVERAL, _texts),
    "k": _whole(1, MOST_HITS),
    "sex": _sex,
    "age_min": _whole(0, MOST_AGE),
    "age_max": _whole(0, MOST_AGE),
    "date_from": _day,
    "date_to": _day,
}
NAMES = tuple(_READ)
"""The parameters that narrow a question, and ``k``."""
_READ |= {**dict.fromkeys(UIDS, _uids), "refine": _refine, "strategy": _strategy}
