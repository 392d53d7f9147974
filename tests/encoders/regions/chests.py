"""Drawn chests whose lungs are known."""

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.float32]

RIGHT_LUNG = (0.2, 0.15, 0.25, 0.6)
LEFT_LUNG = (0.57, 0.15, 0.25, 0.57)
"""Left, top, width, height as parts of the image."""


def chest(rows: int = 300, columns: int = 260) -> Gray:
    """Air 0, tissue 0.7, spine and heart 0.9, lungs 0.3 with ribs across; no noise."""
    down, across = np.indices((rows, columns)) + 0.5
    down, across = down / rows, across / columns
    gray = np.where(np.abs(across - 0.51) < 0.42 - 0.1 * (down < 0.1), 0.7, 0.0)
    for left, top, width, height in (RIGHT_LUNG, LEFT_LUNG):
        # half an ellipse on a dome, as high as an eighth of it
        x = (across - left - width / 2) / (width / 2)
        y = (down - top - height) / height
        gray[(x**2 + y**2 < 1) & (y < (x**2 - 1) / 8)] = 0.3
    gray[(np.abs(across - 0.51) < 0.05) & (gray > 0)] = 0.9
    heart = ((across - 0.56) / 0.13) ** 2 + ((down - 0.62) / 0.14) ** 2 < 1
    gray[heart] = 0.9
    ribs = (np.sin(down * 60) > 0.6) & (gray == 0.3)
    gray[ribs] = 0.36
    return gray.astype(np.float32)
