"""Boxes, and an image's states by its regions'."""

import pytest

from evaluation.collection import CollectionError
from evaluation.readers.boxes import Box, any_region


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (float("nan"), 5)])
def test_a_box_has_an_area(size: tuple[float, float]) -> None:
    with pytest.raises(CollectionError, match=r"the box of trachea is .* pixels; it needs an area"):
        Box("trachea", 1, 1, *size)


def test_one_region_makes_the_image_positive() -> None:
    regions = tuple(
        Box(name, 0, 0, 1, 1, states)
        for name, states in (("a", (0, -2, -2, 1)), ("b", (1, 0, -2, 1)))
    )
    assert any_region(regions, 4) == (1, 0, -2, 1)
    assert any_region((), 2) == (-2, -2)
