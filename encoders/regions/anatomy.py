"""From the boxes of two lungs to those of the 18 regions, by where these lie in a usual chest.

The proportions are those of chest anatomy as radiologists divide it: the lungs in thirds of their
height, apices above the clavicles, hila at the middle third's inner half, costophrenic angles at
the lower outer corner, the heart a third of it right and two thirds left of the midline.
"""

import numpy as np

from encoders.regions.crops import Boxes
from encoders.regions.lung_field import Box, LungField, clipped
from encoders.regions.names import BETWEEN_LUNGS, REGIONS, ZONES

_ZONES = {
    "lung": (0.0, 1.0, 0.0, 1.0),
    "apical zone": (0.0, 1.0, 0.0, 0.2),
    "upper lung zone": (0.0, 1.0, 0.0, 0.36),
    "mid lung zone": (0.0, 1.0, 0.36, 0.66),
    "lower lung zone": (0.0, 1.0, 0.66, 1.0),
    "hilar structures": (0.0, 0.5, 0.32, 0.66),
    "costophrenic angle": (0.6, 1.02, 0.8, 1.02),
}
"""Parts of a lung's box: from its inner edge outward (from, to), and downward (from, to)."""
_MIDDLE = {
    "mediastinum": (-0.18, 0.28, 0.0, 0.98),
    "upper mediastinum": (-0.13, 0.15, 0.0, 0.42),
    "cardiac silhouette": (-0.18, 0.36, 0.48, 0.96),
    "trachea": (-0.07, 0.07, -0.06, 0.38),
}
"""Parts of the thorax: from the midline to the patient's left (from, to), and downward."""
LEAST_SIDE = 0.005
"""Of a box, so that none vanishes at the image's edge."""


USUAL = LungField(
    right=(0.155, 0.11, 0.315, 0.67), left=(0.54, 0.11, 0.315, 0.65), middle=0.5, contrast=0
)
"""Of an image of which no more is known than that it shows a chest: about the medians of what
was found on radiographs of many sources."""


def anatomy(field: LungField) -> Boxes:
    """The boxes of the 18 regions, in the order of ``names.REGIONS``, all inside the image.

    Args:
        field: the lungs; the patient's right one at the image's left.
    """
    found = [_of_right(field.right, *_ZONES[zone]) for zone in ZONES]
    found += [_of_left(field.left, *_ZONES[zone]) for zone in ZONES]
    found += [_of_middle(field, *_MIDDLE[part]) for part in BETWEEN_LUNGS]
    boxes = np.array(found, np.float64)
    boxes[:, :2] = np.minimum(boxes[:, :2], 1 - LEAST_SIDE)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], LEAST_SIDE)
    return np.asarray(boxes, np.float32).reshape(len(REGIONS), 4)


def _of_right(lung: Box, inner: float, outer: float, upper: float, lower: float) -> Box:
    """Outward is to the image's left."""
    left, top, width, height = lung
    edge = left + width
    return clipped(
        edge - outer * width, top + upper * height, edge - inner * width, top + lower * height
    )


def _of_left(lung: Box, inner: float, outer: float, upper: float, lower: float) -> Box:
    left, top, width, height = lung
    return clipped(
        left + inner * width, top + upper * height, left + outer * width, top + lower * height
    )


def _of_middle(field: LungField, right: float, left: float, upper: float, lower: float) -> Box:
    """Widths as parts of the thorax's; heights of the lungs' from apex to the higher base."""
    thorax = field.left[0] + field.left[2] - field.right[0]
    top = min(field.right[1], field.left[1])
    height = min(field.right[1] + field.right[3], field.left[1] + field.left[3]) - top
    across = (field.middle + right * thorax, field.middle + left * thorax)
    return clipped(across[0], top + upper * height, across[1], top + lower * height)
