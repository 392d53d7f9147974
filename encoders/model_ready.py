"""The one image that every encoder sees and that is kept: at most 1024 pixels long, 16 bits.

What is embedded later, from what was kept, must be what was embedded first, to the last bit. So
the reduction is part of the pixel pipeline, for all encoders; none listed here looks closer.
"""

import numpy as np
from numpy.typing import NDArray

from encoders.descriptor_resize import resampling_matrix

LONGEST_SIDE = 1024
"""Pixels; a longer image is averaged down by area, a shorter one stays as it is."""
STEPS = 65535
_ROWS = 32

Samples = NDArray[np.uint16]


def to_model_ready(pixels: NDArray[np.float32]) -> Samples:
    """Gray levels, float32 in [0, 1], as uint16: 0 black, 65535 white; shape as kept."""
    rows, columns = pixels.shape
    scale = LONGEST_SIDE / max(rows, columns)
    if scale >= 1:
        return _in_steps(pixels)
    lower = resampling_matrix(rows, max(1, round(rows * scale))) @ pixels
    narrower = resampling_matrix(columns, max(1, round(columns * scale)))
    small = np.empty((len(lower), narrower.shape[0]), np.uint16)
    for at in range(0, len(lower), _ROWS):
        # the matrix works down columns; so few rows are turned within the processor's cache
        turned = np.ascontiguousarray(lower[at : at + _ROWS].T)
        small[at : at + _ROWS] = _in_steps((narrower @ turned).T)
    return small


def _in_steps(pixels: NDArray[np.float32]) -> Samples:
    return np.ascontiguousarray(np.rint(np.clip(pixels, 0, 1) * STEPS).astype(np.uint16))


def from_model_ready(samples: Samples) -> NDArray[np.float32]:
    """The gray levels that encoders see, float32 in [0, 1], same shape."""
    return samples.astype(np.float32) / np.float32(STEPS)
