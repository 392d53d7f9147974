"""Layouts: grids by hand, anatomy or the usual chest, and never a crash."""

import numpy as np
import pytest
from numpy.typing import NDArray

from encoders.regions.anatomy import USUAL, anatomy
from encoders.regions.crops import RegionError, checked, crops
from encoders.regions.layouts import names_of, regions_of
from encoders.regions.lung_field import lung_field
from encoders.regions.names import REGIONS
from evaluation.readers import chest_imagenome
from tests.encoders.regions.chests import chest

Gray = NDArray[np.float32]


def test_regions_are_in_the_order_of_the_published_lists() -> None:
    assert REGIONS == chest_imagenome.REGIONS


def test_six_cells() -> None:
    found = regions_of("grid 2x3", chest())
    third = 1 / 3
    expected = [
        [0, 0, third, 0.5],
        [third, 0, third, 0.5],
        [2 * third, 0, third, 0.5],
        [0, 0.5, third, 0.5],
        [third, 0.5, third, 0.5],
        [2 * third, 0.5, third, 0.5],
    ]
    np.testing.assert_allclose(found.boxes, expected, atol=1e-6)
    assert found.boxes.dtype == np.float32
    assert found.names[5] == "row 2 column 3"
    assert found.rule == "grid 2x3"


@pytest.mark.parametrize(("layout", "count"), [("grid 2x3", 6), ("grid 3x6", 18)])
def test_cells_hold_each_pixel_once(layout: str, count: int) -> None:
    pixels = np.arange(70 * 50, dtype=np.float32).reshape(70, 50)
    parts = crops(pixels, regions_of(layout, pixels).boxes)
    assert len(parts) == count == len(names_of(layout))
    seen = np.sort(np.concatenate([part.ravel() for part in parts]))
    np.testing.assert_array_equal(seen, pixels.ravel())


def test_lungs_that_stand_out_are_divided() -> None:
    found = regions_of("anatomy 18", chest())
    assert found.rule == "lung field"
    assert found.names == REGIONS
    np.testing.assert_array_equal(found.boxes, anatomy(lung_field(chest())))


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (2, 2), (3, 1000), (64, 64)])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_even_images_get_the_usual_chest(shape: tuple[int, int], level: float) -> None:
    pixels = np.full(shape, level, np.float32)
    found = regions_of("anatomy 18", pixels)
    assert found.rule == "usual chest: lungs do not stand out"
    np.testing.assert_array_equal(found.boxes, anatomy(USUAL))
    assert all(part.size for part in crops(pixels, found.boxes))


@pytest.mark.parametrize("seed", range(20))
def test_any_image_has_regions_inside_of_it(seed: int) -> None:
    lot = np.random.default_rng(seed)
    shape = tuple(int(side) for side in lot.integers(1, 90, 2))
    pixels = np.asarray(lot.random(shape) ** lot.uniform(0.1, 9), np.float32)
    found = regions_of("anatomy 18", pixels)
    checked(found.boxes, found.names)
    assert found.boxes.shape == (18, 4)


@pytest.mark.parametrize(
    ("layout", "pixels", "reason"),
    [
        ("grid 4x4", np.zeros((5, 5), np.float32), "no layout 'grid 4x4'; there are 'grid 2x3'"),
        ("anatomy 18", np.zeros((0, 5), np.float32), r"shape \(0, 5\)"),
        ("grid 2x3", np.zeros((3, 5, 5), np.float32), r"shape \(3, 5, 5\)"),
        ("anatomy 18", np.full((5, 5), np.nan, np.float32), "NaN or infinity"),
    ],
)
def test_what_has_no_regions_is_told(layout: str, pixels: Gray, reason: str) -> None:
    with pytest.raises(RegionError, match=reason):
        regions_of(layout, pixels)
