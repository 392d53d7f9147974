"""Regions as channels: each crop through the same steps."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from encoders.preprocessing import Preprocessing
from encoders.regions.crops import RegionError
from encoders.transforms import transforms_of

SEEN = Preprocessing(
    size=4, resize="square", filter="nearest", eight_bits=False, mean=(0.0,), std=(1.0,)
)
OF_GRID = replace(SEEN, regions="grid 2x3")
CELLS = np.arange(6, dtype=np.float32).reshape(2, 3) / 8
IMAGE = np.kron(CELLS, np.ones((10, 7), np.float32))
"""Each cell of the grid has one gray level."""


def test_each_region_is_a_channel_in_the_layout_s_order() -> None:
    found = transforms_of(OF_GRID)(IMAGE)
    assert found.shape == (6, 4, 4)
    assert OF_GRID.channels == 6
    for at, gray in enumerate(CELLS.ravel()):
        assert torch.equal(found[at], torch.full((4, 4), float(gray)))


def test_all_channels_of_a_region_stand_together() -> None:
    asked = replace(OF_GRID, mean=(0.0, 1.0), std=(1.0, 1.0))
    found = transforms_of(asked)(IMAGE)
    assert found.shape == (12, 4, 4)
    for at, gray in enumerate(CELLS.ravel()):
        np.testing.assert_allclose(found[2 * at].numpy(), gray)
        np.testing.assert_allclose(found[2 * at + 1].numpy(), gray - 1)


def test_each_crop_is_stretched_by_itself() -> None:
    ramp = np.tile(np.linspace(0, 1, 21, dtype=np.float32), (20, 1))
    found = transforms_of(replace(OF_GRID, stretch=True))(ramp)
    assert found.amin(dim=(1, 2)).tolist() == [0] * 6
    assert found.amax(dim=(1, 2)).tolist() == [1] * 6


def test_given_boxes_come_before_the_layout_s() -> None:
    whole = np.tile(np.array([[0, 0, 1 / 3, 0.5]], np.float32), (6, 1))
    found = transforms_of(OF_GRID)(IMAGE, whole)
    assert torch.equal(found, torch.zeros(6, 4, 4))


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        (np.zeros((5, 4), np.float32), "5 boxes for the 6 regions of grid 2x3"),
        (np.zeros((6, 4), np.float32), "row 1 column 1.*is not inside the image"),
        (np.full((6, 4), np.nan, np.float32), "is not inside the image"),
        (np.tile(np.array([[0.5, 0, 0.6, 1]], np.float32), (6, 1)), "is not inside"),
        (np.zeros((6, 3), np.float32), "boxes have shape"),
    ],
)
def test_boxes_that_do_not_fit(boxes: np.ndarray, message: str) -> None:
    with pytest.raises(RegionError, match=message):
        transforms_of(OF_GRID)(IMAGE, boxes)


def test_a_layout_that_is_none() -> None:
    with pytest.raises(RegionError, match="no layout 'grid 4x4'; there are 'grid 2x3'"):
        transforms_of(replace(SEEN, regions="grid 4x4"))


def test_an_image_without_pixels() -> None:
    with pytest.raises(RegionError, match="needs a pixel"):
        transforms_of(OF_GRID)(np.zeros((0, 4), np.float32))
