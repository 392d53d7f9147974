"""Windows for objects that bring none: stated ones for CT, a robust one for the rest."""

import numpy as np
from numpy.typing import NDArray

from encoders.body_part import Region, region_of
from encoders.voi_lut import Window

CT_WINDOWS: dict[Region, tuple[float, float]] = {
    "abdomen": (50.0, 400.0),
    "chest": (-600.0, 1500.0),
    "neck": (50.0, 400.0),
    "head": (40.0, 80.0),
    "bones": (300.0, 1500.0),
}
"""Centre and width in HU by the region of the body."""

CT_WINDOW = (40.0, 400.0)
"""Centre and width in HU where the body part is absent or of no region."""

PERCENTILES = (1.0, 99.0)
"""Between these percentiles of the unpadded pixels lies the robust window."""


def ct_window(body_part: str | None) -> tuple[Window, str]:
    """The window in HU for a CT without one, and the name of the rule."""
    found = region_of(body_part)
    if found is not None:
        region, word = found
        return Window(*CT_WINDOWS[region]), f"default CT window for {word}"
    return Window(*CT_WINDOW), "default CT window"


def percentile_window(
    values: NDArray[np.float64], counts: NDArray[np.intp]
) -> tuple[Window | None, str]:
    """A window from the 1st to the 99th percentile, and the name of the rule.

    Where both percentiles fall on one value (an image that is mostly background) it spans all
    values instead; where all pixels have one value, or there are none, there is no window.

    Args:
        values: modality units of each level, float64, any order.
        counts: pixels of each level, same shape.
    """
    order = np.argsort(values)
    values, counts = values[order], counts[order]
    values, counts = values[counts > 0], counts[counts > 0]
    if len(values) < 2:
        return None, "constant image"
    share = np.cumsum(counts) / counts.sum() * 100
    low, high = (float(values[np.searchsorted(share, part)]) for part in PERCENTILES)
    rule = "percentiles 1 to 99"
    if low == high:
        low, high, rule = float(values[0]), float(values[-1]), "least to greatest value"
    return Window((low + high) / 2, high - low, "LINEAR_EXACT"), rule
