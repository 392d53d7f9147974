"""The process that reads images for ``encoders.pixel_reader``."""

import sys
from pathlib import Path
from typing import Any

from encoders.bounded_child import Answer, RefusedError, answer_requests
from encoders.grayscale import read_image, refuse_blank
from encoders.image import PixelError
from encoders.model_ready import to_model_ready


def read(request: Any) -> Answer:
    """Answer ``[path, frame, ct_window]`` with shape and rules, and the model-ready image as bytes.

    Raises:
        RefusedError: the image cannot be read, or is blank.
    """
    path, frame, ct_window = request
    try:
        image = read_image(Path(path), frame, ct_window=ct_window and tuple(ct_window))
        refuse_blank(image)
    except PixelError as fault:
        raise RefusedError(str(fault)) from fault
    samples = to_model_ready(image.pixels)
    return {"shape": samples.shape, "rules": dict(image.rules)}, samples.data


if __name__ == "__main__":
    answer_requests(read, sys.argv[1:])
