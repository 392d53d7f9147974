"""The process that reads images for ``encoders.pixel_reader``."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from encoders.bounded_child import Answer, RefusedError, answer_requests
from encoders.grayscale import read_image, refuse_blank
from encoders.image import PixelError


def read(request: Any) -> Answer:
    """Answer ``[path, frame]`` with the image's shape and rules, and its pixels as bytes.

    Raises:
        RefusedError: the image cannot be read, or is blank.
    """
    path, frame = request
    try:
        image = read_image(Path(path), frame)
        refuse_blank(image)
    except PixelError as fault:
        raise RefusedError(str(fault)) from fault
    said = {"shape": image.pixels.shape, "rules": dict(image.rules)}
    return said, np.ascontiguousarray(image.pixels).data


if __name__ == "__main__":
    answer_requests(read, sys.argv[1:])
