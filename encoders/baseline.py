"""The weight-free descriptor: how an image looks, as one vector, with numpy and scipy alone.

It needs no download and no training, so that a node can answer on its first day, and it is the
reference that every trained encoder has to beat. The shares and scales of the blocks were chosen on
a coarse grid by what the development images found and by what lossy coding left of them; nothing
else in it was fitted to images.
"""

import numpy as np
from numpy.typing import NDArray

from encoders.descriptor_blocks import (
    binary_patterns,
    grey_layout,
    intensity_and_gradient,
    intensity_and_surroundings,
    oriented_gradients,
    unit,
)
from encoders.descriptor_resize import halve, resize

PREPROCESSING = (
    "256x256, area average down or linear up, aspect not kept; halved to 128, 64 and 16; "
    "Gaussian of 1 before patterns and surroundings"
)

# A block's share of the cosine. Blocks that hardly differ between images (texture) need a large
# share to be heard at all beside those that differ much (layout). Scales and shares are such that
# an image still finds itself after lossy coding, which takes the finest grain away.
LAYOUT_SHARE = 0.02
EDGES_SHARE = 0.05
TEXTURE_SHARE = 0.10
SURROUNDINGS_SHARE = 0.10
INTENSITY_SHARE = 0.73

RANGE_TOLERANCE = 1e-3  # float32 arithmetic before us may leave [0, 1] by a rounding error


def describe(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the descriptor of an image; the cosine of two says how alike they look.

    The same image gives the same vector; no random number and no GPU takes part.

    Args:
        image: float32 in [0, 1], shape (rows, columns), at least 1 x 1; constant images too.

    Returns:
        float32, shape (``baseline_size.DIMENSION``,), unit length, never NaN and never zero.

    Raises:
        ValueError: not two-dimensional, empty, NaN or infinite, or outside [0, 1].
    """
    large = resize(_checked(image), 256)
    middle = halve(large)
    small = halve(middle)
    blocks = (
        (LAYOUT_SHARE, grey_layout(halve(halve(small)))),
        (EDGES_SHARE, oriented_gradients(small, cells=4, directions=8)),
        (TEXTURE_SHARE, binary_patterns(large, cells=4)),
        (SURROUNDINGS_SHARE, intensity_and_surroundings(small, levels=12, steps=9)),
        (INTENSITY_SHARE, intensity_and_gradient(middle, levels=16, steps=6)),
    )
    # the root makes the cosine of the whole the mean of the blocks' cosines, weighted by share
    return unit(np.concatenate([np.sqrt(share) * block for share, block in blocks]))


def _checked(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the image as float32, or raise ValueError with the reason why it has no descriptor."""
    if image.ndim != 2:
        raise ValueError(f"an image has shape (rows, columns), this one has {image.shape}")
    if image.size == 0:
        raise ValueError(f"an image needs at least one pixel, this one has shape {image.shape}")
    low, high = float(image.min()), float(image.max())
    # the smallest value is NaN as soon as one pixel is
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("the image holds NaN or infinite values: window it into [0, 1] first")
    if low < -RANGE_TOLERANCE or high > 1 + RANGE_TOLERANCE:
        raise ValueError(f"the image runs from {low} to {high}: window it into [0, 1] first")
    return np.ascontiguousarray(image, dtype=np.float32)
