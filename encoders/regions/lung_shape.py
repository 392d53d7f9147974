"""The shape of two lungs on a frontal radiograph, as six numbers and what lies around them.

The shape is drawn by hand, from what a chest looks like, and learned from nothing. Right and left
are the patient's: right lies to the left of the image.
"""

import numpy as np
from numpy.typing import NDArray

MIDDLE, RIGHT_WIDTH, LEFT_WIDTH, TOP, RIGHT_BOTTOM, LEFT_BOTTOM = range(6)
"""Columns of shapes: where the midline is; how far each lung reaches from it; where the apices, the
right and the left base are. Parts of the image's width and height."""
RIGHT, LEFT, BETWEEN, RIGHT_WALL, LEFT_WALL, RIGHT_BELOW, LEFT_BELOW, ABOVE = range(8)
"""Zones: both lungs, and six that are brighter: mediastinum, chest walls, belly and shoulders."""

Shapes = NDArray[np.float64]
"""Shape (shapes, 6)."""
Floats = NDArray[np.float32]


def zones(shapes: Shapes, side: int) -> Floats:
    """Which pixels of an image belong to each zone of each shape: 1 or 0.

    Returns:
        float32, shape (shapes, 8, side * side). A zone may be empty, outside of the image. Brighter
        zones may share pixels with each other, never with a lung.
    """
    centres = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side)
    across, down = np.meshgrid(centres, centres)
    middle, top = _column(shapes, MIDDLE), _column(shapes, TOP)
    right = across < middle
    width = np.where(right, _column(shapes, RIGHT_WIDTH), _column(shapes, LEFT_WIDTH))
    bottom = np.where(right, _column(shapes, RIGHT_BOTTOM), _column(shapes, LEFT_BOTTOM))
    outward, downward = np.abs(across - middle) / width, (down - top) / (bottom - top)
    inner, outer, base = _edges(outward, downward, right)
    lung = (outward > inner) & (outward < outer) & (downward > 0) & (downward < base)
    beside = (outward > 1.04 * outer) & (outward < 1.22 * outer)
    wall = beside & (downward > 0.15) & (downward < 1)
    below = (outward > 0.15) & (outward < 1) & (downward > base + 0.04) & (downward < 1.22)
    between = (outward < 0.8 * inner) & (downward > 0.1) & (downward < 1)
    above = (outward > 0.2) & (outward < 0.75) & (downward > -0.14) & (downward < -0.02)
    both = [part & half for part in (lung, wall, below) for half in (right, ~right)]
    found = np.stack([*both[:2], between, *both[2:], above], axis=1)
    return found.reshape(*found.shape[:2], -1).astype(np.float32)


def _column(shapes: Shapes, at: int) -> Floats:
    return shapes[:, at, None, None].astype(np.float32)


def _edges(outward: Floats, downward: Floats, right: NDArray[np.bool_]) -> tuple[Floats, ...]:
    """Inner and outer edge of a lung at each height, and its base at each distance.

    The rib cage widens from the apex like an ellipse; the heart takes its place from the left lung;
    the diaphragm is a dome, the right one higher, that falls to the costophrenic angle.
    """
    height = np.clip(downward, 0, 1)
    outer = np.sqrt(1 - 0.8 * (1 - height) ** 2)
    heart = 0.18 + 0.3 * np.clip((height - 0.35) / 0.5, 0, 1)
    inner = np.where(right, 0.2 + 0.05 * height, heart)
    dome = np.where(right, np.float32(0.86), np.float32(0.9))
    base = dome + (1 - dome) * np.clip((outward - 0.5) / 0.45, 0, 1) ** 2
    return inner, outer, base
