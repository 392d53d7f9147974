"""Bars that show how far a verb has come: on a terminal only, and not for what takes a moment."""

from collections.abc import Callable
from typing import Any

from tqdm import tqdm


def bar(what: str, unit: str, total: int | None = None) -> "tqdm[Any]":
    """A bar, seen after a second, where standard error is a terminal.

    Args:
        what: is done.
        unit: in which it is counted, such as ``file``.
        total: how many there are, where that is known beforehand.
    """
    return tqdm(desc=what, unit=unit, total=total, disable=None, delay=1.0)


def onto(shown: "tqdm[Any]") -> Callable[[int, int | None], None]:
    """What tells a bar how many are done, and of how many where that is known."""

    def tell(done: int, of: int | None) -> None:
        shown.total = of
        shown.update(done - shown.n)

    return tell
