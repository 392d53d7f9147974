"""The image that an encoder sees."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


class PixelError(Exception):
    """An image cannot be read into pixels; the message names the tag or cause and the remedy."""


@dataclass(frozen=True)
class GrayscaleImage:
    """One image after the standard's pixel pipeline.

    Attributes:
        pixels: float32 in [0, 1], shape (rows, columns), 0 black and 1 white as displayed.
        rules: which rule fired at each step, and its numbers; kept with the vector.
        key: SOP Instance UID, with ``#`` and the frame number where there are several; empty
            where nobody said. Only encoders that look vectors up by it read it.
        modality: as (0008,0060) has it; empty where nobody said.
        body_part: that it shows, in words; empty where nobody said. Encoders that ask only a part
            of themselves about images that they were not made for read both.
        boxes: left, top, width and height of the regions that somebody drew, as parts of the
            image's width and height, float32, shape (regions, 4); None where nobody did. Only
            encoders of regions read them, and find their own without.
    """

    pixels: NDArray[np.float32]
    rules: Mapping[str, "str | float | int | bool | None"] = field(default_factory=dict)
    key: str = ""
    modality: str = ""
    body_part: str = ""
    boxes: NDArray[np.float32] | None = None
