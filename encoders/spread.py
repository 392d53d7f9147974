"""Slices spread through a stack: those that stand for a volume together with its middle one."""

from collections.abc import Sequence

from encoders.stack import Slice, Stack, middle

SPREAD_RULE = "evenly-spread-1"
"""Version of the rule here: kept with every set of slice vectors."""


def spread(stack: Stack, at_most: int) -> tuple[Slice, ...]:
    """Up to ``at_most`` slices of the stack, in its order, the middle one among them.

    The stack is cut into as many parts of equally many slices, and of each part the middle slice
    is taken; the one nearest to the stack's own middle slice gives way to it. A stack that has no
    more slices is taken whole. The order is that of positions along the normal, or of
    InstanceNumber without geometry, so neither arrival nor the direction of scanning has a say.

    Args:
        stack: as ``encoders.stack.stacks`` makes it.
        at_most: at least 1.

    Raises:
        ValueError: ``at_most`` is below 1.
    """
    count = len(stack.slices)
    if at_most < 1:
        raise ValueError(f"at most {at_most} slices of a stack: ask for one at least")
    if count <= at_most:
        return stack.slices
    chosen = middle(stack)
    centre = next(at for at, one in enumerate(stack.slices) if one is chosen)
    return tuple(stack.slices[at] for at in _places(count, at_most, centre))


def _places(count: int, most: int, centre: int) -> Sequence[int]:
    places = [(2 * part + 1) * count // (2 * most) for part in range(most)]
    nearest = min(range(most), key=lambda part: abs(places[part] - centre))
    places[nearest] = centre
    return places
