"""Faults as values: what one study's work ends with must not end that of the others."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

Item = TypeVar("Item")


def fault_of(work: Callable[[], object]) -> Exception | None:
    """What ``work`` raised, if anything."""
    try:
        work()
    except Exception as fault:  # noqa: BLE001 - boundary: a poisonous study stops no other
        return fault
    return None


def together(
    work: Callable[[Sequence[Item]], object],
    items: Sequence[Item],
    blame: Callable[[Exception, Item], None],
    *,
    stops: Callable[[Exception], bool] = lambda _: False,
) -> None:
    """Does ``work`` on all items at once; where that fails on each by itself, to find the guilty.

    Args:
        work: what it did before it failed must be good to be done once more.
        items: nothing is done where there are none.
        blame: told each fault that is left, and the item that it befell; what it raises is raised.
        stops: whether a fault is no item's: then no other try is made, and the first is blamed.
    """
    fault = fault_of(partial(work, items)) if items else None
    if fault is None:
        return
    if len(items) == 1 or stops(fault):
        blame(fault, items[0])
        return
    for item in items:
        together(work, [item], blame, stops=stops)
