"""Which regions are related, by where they lie: for sets that tell no findings of regions."""

import numpy as np

from encoders.regions.crops import Boxes
from encoders.regions.jaccard import Adjacency

_ROUNDING = 1e-4


def touching(boxes: Boxes) -> Adjacency:
    """The regions whose boxes overlap or share an edge or a corner.

    No paper has this graph. It stands in for AnaXNet's (`jaccard`) where findings are told of whole
    images only.

    Args:
        boxes: left, top, width and height, shape (regions, 4).
    """
    low = boxes[:, :2].astype(np.float64)
    high = low + boxes[:, 2:]
    apart = (low[:, None] > high[None, :] + _ROUNDING) | (high[:, None] < low[None, :] - _ROUNDING)
    return np.asarray(~apart.any(axis=2), np.int64)
