"""The picture of an embedded image that people look at."""

import io

import numpy as np
from PIL import Image

from encoders.image import GrayscaleImage


def to_png(image: GrayscaleImage, longest: int = 512) -> bytes:
    """An 8-bit gray PNG with the windowing that the encoder saw.

    Args:
        image: the image; 0 is written as 0, 1 as 255, between them to the nearest step.
        longest: pixels of the longer side; a larger image is averaged down to it by area, a
            smaller one stays as it is.

    Returns:
        The PNG file's bytes, without any metadata.
    """
    gray = Image.fromarray(np.rint(image.pixels * 255).astype(np.uint8))
    scale = longest / max(gray.size)
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in gray.size)
        gray = gray.resize((width, height), Image.Resampling.BOX)
    buffer = io.BytesIO()
    gray.save(buffer, "PNG")
    return buffer.getvalue()
