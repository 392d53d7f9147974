"""Boxes on images: where a finding was seen, or where a region of the body lies."""

from collections.abc import Mapping
from dataclasses import dataclass

from evaluation.collection import NEGATIVE, POSITIVE, UNSAID, CollectionError


@dataclass(frozen=True)
class Box:
    """A rectangle on an image.

    Attributes:
        name: the finding or the region.
        x, y: of its upper left corner, in pixels of the image as it was published.
        width, height: in the same pixels, greater than 0.
        states: what is said of the region, one state for each finding of the set; empty where
            the box is a finding's own.
    """

    name: str
    x: float
    y: float
    width: float
    height: float
    states: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Checks the size.

        Raises:
            CollectionError: it has none.
        """
        if not (self.width > 0 and self.height > 0):
            size = f"{self.width} x {self.height}"
            raise CollectionError(f"the box of {self.name} is {size} pixels; it needs an area")


Boxes = Mapping[str, tuple[Box, ...]]
"""The boxes of each image, by its id."""


def any_region(boxes: tuple[Box, ...], findings: int) -> tuple[int, ...]:
    """An image's states from its regions' (CheXtriev): POSITIVE where any region is.

    Else NEGATIVE where any is, else UNSAID.
    """
    said = [{box.states[finding] for box in boxes} for finding in range(findings)]
    return tuple(
        next((state for state in (POSITIVE, NEGATIVE) if state in one), UNSAID) for one in said
    )
