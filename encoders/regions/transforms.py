"""Regions of an image as a network's channels."""

from collections.abc import Callable

import torch
from torch import Tensor

from encoders.regions.crops import Boxes, Gray, RegionError, crops
from encoders.regions.layouts import names_of, regions_of


def region_transforms(
    layout: str, one: Callable[[Gray], Tensor]
) -> Callable[[Gray, Boxes | None], Tensor]:
    """From an image to the crops of its regions, each through the same steps.

    Batches have four dimensions, so regions stand beside each other as channels: all channels of
    the first region, then the second's.

    Args:
        layout: that finds them where no boxes are given.
        one: from a crop, float32 in [0, 1], shape (rows, columns), to (channels, size, size).

    Raises:
        RegionError: there is no such layout. When called: boxes are not as many as the layout has,
            or not inside the image.
    """
    names = names_of(layout)

    def transform(pixels: Gray, boxes: Boxes | None = None) -> Tensor:
        there = regions_of(layout, pixels).boxes if boxes is None else boxes
        if len(there) != len(names):
            raise RegionError(f"{len(there)} boxes for the {len(names)} regions of {layout}")
        return torch.cat([one(crop) for crop in crops(pixels, there, names)])

    return transform
