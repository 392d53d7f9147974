"""The 18 boxes of two lungs, by hand, and that they lie as in a chest."""

import numpy as np
import pytest

from encoders.regions.anatomy import USUAL, anatomy
from encoders.regions.crops import checked
from encoders.regions.lung_field import LungField
from encoders.regions.names import REGIONS

FIELD = LungField(right=(0.1, 0.2, 0.3, 0.5), left=(0.5, 0.2, 0.4, 0.5), middle=0.45, contrast=2)


@pytest.mark.parametrize(
    ("region", "box"),
    [
        ("right lung", (0.1, 0.2, 0.3, 0.5)),
        ("left lung", (0.5, 0.2, 0.4, 0.5)),
        ("right apical zone", (0.1, 0.2, 0.3, 0.1)),
        ("left mid lung zone", (0.5, 0.2 + 0.36 * 0.5, 0.4, 0.3 * 0.5)),
        ("right lower lung zone", (0.1, 0.2 + 0.66 * 0.5, 0.3, 0.34 * 0.5)),
        ("right hilar structures", (0.25, 0.36, 0.15, 0.17)),  # the half beside the midline
        ("left hilar structures", (0.5, 0.36, 0.2, 0.17)),
        ("right costophrenic angle", (0.094, 0.6, 0.126, 0.11)),  # the outer, lower corner
        ("left costophrenic angle", (0.74, 0.6, 0.168, 0.11)),
        ("mediastinum", (0.45 - 0.18 * 0.8, 0.2, 0.46 * 0.8, 0.49)),
        ("trachea", (0.45 - 0.07 * 0.8, 0.17, 0.14 * 0.8, 0.22)),
    ],
)
def test_boxes_by_hand(region: str, box: tuple[float, ...]) -> None:
    np.testing.assert_allclose(anatomy(FIELD)[REGIONS.index(region)], box, atol=1e-6)


def test_mirrored_lungs_have_mirrored_zones() -> None:
    even = LungField(right=(0.1, 0.2, 0.3, 0.5), left=(0.6, 0.2, 0.3, 0.5), middle=0.5, contrast=2)
    boxes = anatomy(even)
    mirrored = boxes.copy()
    mirrored[:, 0] = 1 - boxes[:, 0] - boxes[:, 2]
    np.testing.assert_allclose(mirrored[:7], boxes[7:14], atol=1e-6)


def test_thirds_of_a_lung_lie_one_below_the_other_without_gaps() -> None:
    boxes = anatomy(USUAL)
    upper, mid, lower = (
        boxes[REGIONS.index(f"left {part} lung zone")] for part in ("upper", "mid", "lower")
    )
    assert upper[1] + upper[3] == pytest.approx(mid[1])
    assert mid[1] + mid[3] == pytest.approx(lower[1])


@pytest.mark.parametrize(
    "field",
    [
        USUAL,
        FIELD,
        LungField(right=(0.0, 0.0, 0.0, 0.0), left=(1.0, 1.0, 0.0, 0.0), middle=1.0, contrast=0),
        LungField(right=(0.0, 0.0, 0.5, 1.0), left=(0.5, 0.0, 0.5, 1.0), middle=0.5, contrast=0),
    ],
)
def test_boxes_are_always_inside_the_image(field: LungField) -> None:
    boxes = anatomy(field)
    assert boxes.dtype == np.float32
    assert boxes.shape == (18, 4)
    checked(boxes, REGIONS)
