"""What is seen in boxes: crops of an image as it is, before any resize (paper 4's code)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.float32]
"""Gray levels in [0, 1], shape (rows, columns)."""
Boxes = NDArray[np.float32]
"""Left, top, width and height of each region, as parts of the image's width and height; shape
(regions, 4)."""

_ROUNDING = 1e-4
"""Of an image's side, by which a box may pass it: boxes are kept in single precision."""


class RegionError(ValueError):
    """Boxes or findings of regions cannot be used; the message names which and what to do."""


def crops(pixels: Gray, boxes: Boxes, names: Sequence[str] = ()) -> tuple[Gray, ...]:
    """The pixels of each box, as views on the image, float32, at least one pixel each.

    An edge falls on the nearest border between two pixels; a box in which no pixel's border lies is
    the pixel that its middle lies in.

    Args:
        pixels: gray levels, shape (rows, columns), at least 1 x 1.
        boxes: shape (regions, 4).
        names: of the regions, for messages; numbers where there are none.

    Raises:
        RegionError: the image has no pixel, or a box lies outside of it or has no area.
    """
    if pixels.ndim != 2 or not pixels.size:
        raise RegionError(f"an image of shape {pixels.shape} has no regions; it needs a pixel")
    checked(boxes, names)
    rows, columns = pixels.shape
    across = _spans(boxes[:, 0], boxes[:, 2], columns)
    down = _spans(boxes[:, 1], boxes[:, 3], rows)
    return tuple(
        pixels[top:bottom, left:right]
        for (left, right), (top, bottom) in zip(across, down, strict=True)
    )


def checked(boxes: Boxes, names: Sequence[str] = ()) -> None:
    """Refuses boxes that are not inside an image.

    Raises:
        RegionError: the array has another shape, or a box is not finite, has no area, or passes the
            image's edge.
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not len(boxes):
        raise RegionError(f"boxes have shape (regions, 4), these have {boxes.shape}")
    for at, (left, top, width, height) in enumerate(boxes.tolist()):
        inside = min(left, top) >= -_ROUNDING and max(left + width, top + height) <= 1 + _ROUNDING
        if not (inside and width > 0 and height > 0):  # NaN is not inside either
            name = names[at] if at < len(names) else f"region {at}"
            raise RegionError(
                f"the box of {name}, left {left:g}, top {top:g}, width {width:g}, height "
                f"{height:g}, is not inside the image; boxes are parts of its width and height"
            )


def from_pixels(
    boxes: NDArray[np.float64], rows: int, columns: int, names: Sequence[str] = ()
) -> Boxes:
    """Boxes in pixels as parts of the image, what lies outside of it cut off.

    Args:
        boxes: left, top, width, height in pixels, shape (regions, 4).
        rows, columns: of the image that the boxes were drawn on.
        names: of the regions, for messages; numbers where there are none.

    Raises:
        RegionError: the image has no pixel, or nothing of a box is inside it.
    """
    if min(rows, columns) < 1:
        raise RegionError(f"an image of {rows} x {columns} pixels has no regions")
    sides = np.array([columns, rows, columns, rows], np.float64)
    corner = np.clip(boxes[:, :2] / sides[:2], 0, 1)
    far = np.clip((boxes[:, :2] + boxes[:, 2:]) / sides[:2], 0, 1)
    found = np.concatenate([corner, far - corner], axis=1).astype(np.float32)
    checked(found, names)
    return found


def _spans(start: Boxes, length: Boxes, pixels: int) -> list[tuple[int, int]]:
    """First pixel and the one after the last, of each box, along one side."""
    low = start.astype(np.float64) * pixels
    high = (start.astype(np.float64) + length) * pixels
    first = np.clip(np.rint(low), 0, pixels).astype(int)
    end = np.clip(np.rint(high), 0, pixels).astype(int)
    middle = np.clip(np.floor((low + high) / 2), 0, pixels - 1).astype(int)
    empty = first >= end
    first, end = np.where(empty, middle, first), np.where(empty, middle + 1, end)
    return list(zip(first.tolist(), end.tolist(), strict=True))
