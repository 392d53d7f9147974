"""Where names stand beside points: not on each other, not on points, not outside the picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LETTER, LINE = 7.5, 13.0
"""About the size of a letter of a name, in the picture's units."""
POINT, AWAY = 4.0, 7.0
"""How far a point reaches, and how far a name is from it."""


@dataclass(frozen=True)
class Box:
    """A rectangle; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Box") -> bool:
        """Whether they share more than an edge."""
        beside = self.right <= other.left or other.right <= self.left
        return not (beside or self.bottom <= other.top or other.bottom <= self.top)

    def inside(self, other: "Box") -> bool:
        """Whether it lies in the other."""
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.top >= other.top
            and self.bottom <= other.bottom
        )


@dataclass(frozen=True)
class Placed:
    """A name that begins, or ends, at x; ``y`` is its middle."""

    name: str
    x: float
    y: float
    ends: bool


def placed(
    points: Sequence[tuple[float, float]], names: Sequence[str], room: Box
) -> Iterator[Placed]:
    """Yield the names that find a place, in their order; the others are left out."""
    taken = [Box(x - POINT, y - POINT, x + POINT, y + POINT) for x, y in points]
    for (x, y), name in zip(points, names, strict=True):
        for one, box in _candidates(x, y, name):
            if box.inside(room) and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                yield one
                break


def _candidates(x: float, y: float, name: str) -> Iterator[tuple[Placed, Box]]:
    """Yield places to the right and to the left, level with the point, above it and below it."""
    width = LETTER * len(name)
    for middle in (y, y - LINE, y + LINE):
        top, bottom = middle - LINE / 2, middle + LINE / 2
        start, end = x + AWAY, x - AWAY
        yield Placed(name, start, middle, ends=False), Box(start, top, start + width, bottom)
        yield Placed(name, end, middle, ends=True), Box(end - width, top, end, bottom)
