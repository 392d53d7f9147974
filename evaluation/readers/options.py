"""A reader's own options as a user writes them: KEY=VALUE."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from evaluation.readers.fault import ReaderError

COMMON = frozenset({"place", "images", "return"})
SAID = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def options_of(name: str, read: Callable[..., Any], told: Sequence[str]) -> dict[str, Any]:
    """The options as the reader takes them.

    Args:
        name: of the reader.
        read: its function.
        told: such as ``labeler=negbio``.

    Raises:
        ReaderError: it has no such option, or the value is none for it; the message lists them.
    """
    kinds = {key: kind for key, kind in get_type_hints(read).items() if key not in COMMON}
    found = {}
    for one in told:
        key, equals, value = one.partition("=")
        if not equals or key not in kinds:
            known = ", ".join(f"{each}=…" for each in kinds) or "none"
            raise ReaderError(f"{one!r} is no option of {name}; it has {known}")
        found[key] = _value(one, kinds[key], value)
    return found


def _value(one: str, kind: Any, text: str) -> Any:
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    if choices and text not in choices:
        raise ReaderError(f"{one!r}: it is {', '.join(map(str, choices))}")
    if kind is bool:
        if text.lower() not in SAID:
            raise ReaderError(f"{one!r}: it is true or false")
        return SAID[text.lower()]
    return Path(text) if Path in (kind, *get_args(kind)) else text
