"""Crops: which pixels a box holds, by hand, and boxes that are refused."""

import numpy as np
import pytest

from encoders.regions.crops import RegionError, crops, from_pixels

IMAGE = np.arange(40, dtype=np.float32).reshape(4, 10)


def of(*box: float) -> list[list[float]]:
    found = crops(IMAGE, np.array([box], np.float32))[0]
    assert found.dtype == np.float32
    return [[float(level) for level in row] for row in found]


def test_a_box_holds_the_pixels_between_its_edges() -> None:
    assert of(0.2, 0.25, 0.3, 0.5) == [[12, 13, 14], [22, 23, 24]]


def test_the_whole_image() -> None:
    assert of(0, 0, 1, 1) == IMAGE.tolist()


def test_edges_fall_on_the_nearest_border() -> None:
    assert of(0.16, 0.2, 0.2, 0.3) == [[12, 13]]  # columns 1.6 to 3.6, rows 0.8 to 2


@pytest.mark.parametrize(
    ("box", "pixel"),
    [
        ((0.51, 0.3, 0.01, 0.01), 15),  # between two borders
        ((0.999, 0.999, 0.001, 0.001), 39),  # the last corner
        ((0.0, 0.0, 0.001, 0.001), 0),
    ],
)
def test_a_box_holds_one_pixel_at_least(box: tuple[float, ...], pixel: float) -> None:
    assert of(*box) == [[pixel]]


def test_one_row_and_one_pixel() -> None:
    boxes = np.array([[0, 0, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]], np.float32)
    row = np.arange(4, dtype=np.float32)[None]
    assert [part.tolist() for part in crops(row, boxes)] == [[[0, 1]], [[2, 3]]]
    assert [part.tolist() for part in crops(row[:, :1], boxes)] == [[[0]], [[0]]]


@pytest.mark.parametrize(
    "box",
    [
        (-0.1, 0, 0.5, 0.5),
        (0, -0.1, 0.5, 0.5),
        (0.6, 0, 0.5, 0.5),
        (0, 0.6, 0.5, 0.5),
        (0.2, 0.2, 0, 0.5),
        (0.2, 0.2, 0.5, -0.1),
        (float("nan"), 0.2, 0.5, 0.5),
        (0.2, 0.2, float("inf"), 0.5),
        (10, 20, 100, 200),
    ],
)
def test_a_box_outside_of_the_image_is_named(box: tuple[float, ...]) -> None:
    boxes = np.array([(0, 0, 1, 1), box], np.float32)
    with pytest.raises(RegionError, match=r"box of left lung, left .* is not inside the image"):
        crops(IMAGE, boxes, ("right lung", "left lung"))
    with pytest.raises(RegionError, match="box of region 1"):
        crops(IMAGE, boxes)


@pytest.mark.parametrize("shape", [(0, 4), (2, 3), (4,)])
def test_what_are_no_boxes(shape: tuple[int, ...]) -> None:
    with pytest.raises(RegionError, match=r"boxes have shape \(regions, 4\)"):
        crops(IMAGE, np.zeros(shape, np.float32))


def test_an_image_without_pixels() -> None:
    with pytest.raises(RegionError, match=r"shape \(0, 3\)"):
        crops(np.zeros((0, 3), np.float32), np.array([[0, 0, 1, 1]], np.float32))


def test_boxes_in_pixels_become_parts_of_the_image() -> None:
    found = from_pixels(np.array([[10, 20, 50, 30], [-5, 90, 30, 20]], float), 100, 200)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0.05, 0.2, 0.25, 0.3], [0, 0.9, 0.125, 0.1]], atol=1e-6)


def test_a_box_beyond_the_image_is_refused() -> None:
    with pytest.raises(RegionError, match="box of region 0"):
        from_pixels(np.array([[250, 20, 50, 30]], float), 100, 200)
    with pytest.raises(RegionError, match="0 x 5 pixels"):
        from_pixels(np.array([[0, 0, 1, 1]], float), 0, 5)
