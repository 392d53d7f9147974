"""Neighbours by where boxes lie, by hand."""

import numpy as np

from encoders.regions.anatomy import USUAL, anatomy
from encoders.regions.names import REGIONS
from encoders.regions.touching import touching


def test_boxes_that_overlap_or_meet_are_neighbours() -> None:
    boxes = np.array(
        [[0, 0, 0.4, 0.4], [0.3, 0.3, 0.2, 0.2], [0.5, 0.5, 0.1, 0.1], [0.8, 0.5, 0.1, 0.1]]
    )
    found = touching(boxes.astype(np.float32))
    assert found.tolist() == [[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1]]


def test_cells_of_a_grid_touch_those_around_them() -> None:
    third = 1 / 3
    boxes = np.array([[c * third, r / 2, third, 0.5] for r in range(2) for c in range(3)])
    found = touching(boxes.astype(np.float32))
    expected = [[1, 1, 0, 1, 1, 0], [1, 1, 1, 1, 1, 1], [0, 1, 1, 0, 1, 1]]
    assert found.tolist() == expected + [[*row[3:], *row[:3]] for row in expected]


def test_lungs_touch_their_zones_and_not_each_other() -> None:
    found = touching(anatomy(USUAL))
    right, left = REGIONS.index("right lung"), REGIONS.index("left lung")
    assert found[right, REGIONS.index("right mid lung zone")]
    assert found[right, REGIONS.index("mediastinum")]
    assert not found[right, left]
    assert (found == found.T).all()
    assert found.diagonal().all()
