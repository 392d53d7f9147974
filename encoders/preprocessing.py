"""What a network was trained to see, as numbers, and the MONAI transforms that make it.

No torch here: a declaration can be listed without it. ``encoders.transforms`` does the work.
"""

import math
from dataclasses import dataclass
from typing import Literal

from encoders import baseline_size

Resize = Literal["square", "shortest side", "longest side", "central square", "filled square"]
"""How a size is reached: each side to it, whatever the shape; the shorter side to it (what is
beyond the square is cropped away); the longer side to it (what lacks is filled up); the central
square, cut out first, to it; a black square with the image in its middle, no smaller than the
input, to it."""

Filter = Literal["nearest", "bilinear", "bicubic", "gaussian"]
"""Of the resize; "gaussian" is scikit-image's (``encoders.gaussian_resize``), in floating point,
with what becomes 0 in the network's input beyond the image."""

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5)
LARGEST = 4096
"""Side of an input, pixels."""


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """From a gray image in [0, 1] to a network's input of shape (channels, size, size).

    A network of regions gets as many channels for each, and the steps are each crop's own.

    The steps, in this order: to 8 bits, resize, crop or fill, range, statistics.

    Attributes:
        size: rows and columns of the input, pixels.
        resize: how the size is reached.
        resize_to: the side that is resized to before the centre crop; ``size`` where None.
        crop: how the crop's upper left corner is rounded where half a pixel remains: ``down``
            (transformers) or ``to even`` (torchvision's ``CenterCrop``, so timm and open_clip).
        filter: of the resize, with antialiasing on the way down.
        eight_bits: whether gray levels are rounded to 256 before and after the resize, which then
            is Pillow's: so do the libraries whose networks were trained on 8-bit pictures. Without
            it the resize is in floating point.
        fill: where the picture stands in the square, and the rest is 0: ``centre`` or ``corner``
            (upper left). Zero comes before the statistics, unless ``fill_last``.
        fill_last: the rest is 0 in the network's input.
        stretch: least and greatest gray level of each image become 0 and 1, after the resize.
        low, high: what black and white become before the statistics; -1024 and 1024 for
            torchxrayvision.
        mean, std: per channel, of values from ``low`` to ``high``; their number is that of the
            channels, which all get the gray image.
        regions: what is seen instead of the whole image, by a name of ``encoders.regions.layouts``;
            empty for the whole.
        descriptor: whether one more channel holds what the weight-free descriptor says of the whole
            image (``encoders.descriptor_channel``).
    """

    size: int
    resize: Resize
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize_to: int | None = None
    crop: Literal["down", "to even"] = "down"
    filter: Filter = "bilinear"
    eight_bits: bool = True
    fill: Literal["centre", "corner"] = "centre"
    fill_last: bool = False
    stretch: bool = False
    low: float = 0.0
    high: float = 1.0
    regions: str = ""
    descriptor: bool = False

    @property
    def channels(self) -> int:
        """How many channels the input has.

        Raises:
            RegionError: there is no such layout of regions.
        """
        if not self.regions:
            return len(self.mean) + self.descriptor
        from encoders.regions.layouts import names_of  # noqa: PLC0415 (SciPy, for few encoders)

        return len(self.mean) * len(names_of(self.regions)) + self.descriptor

    def must_be_possible(self) -> None:
        """To be called where the numbers were read of a file.

        Raises:
            ValueError: no image can be seen so; the message says what is wrong.
        """
        sides = (self.size, self.size if self.resize_to is None else self.resize_to)
        numbers = (*self.mean, *self.std, self.low, self.high)
        if min(sides) < 1 or max(sides) > LARGEST:
            raise ValueError(f"an image has at least one pixel, and at most {LARGEST} a side")
        if not self.mean or len(self.mean) != len(self.std) or min(self.std) <= 0:
            raise ValueError("mean and std are of as many channels, one at least, and std above 0")
        if not all(map(math.isfinite, numbers)) or self.low >= self.high:
            raise ValueError("low is below high, and no number is infinite")
        if self.descriptor and self.size**2 <= baseline_size.DIMENSION:
            raise ValueError(
                f"a descriptor of {baseline_size.DIMENSION} numbers needs a larger size"
            )
        _ = self.channels  # whose layout of regions is looked up

    @property
    def text(self) -> str:
        """For the Space: every number that changes the input, and only those."""
        parts = [f"{self.resize} to {self.resize_to or self.size}", self.filter]
        if self.filter != "gaussian":
            parts.append("8 bits, Pillow" if self.eight_bits else "floating point, Pillow")
        if self.resize == "longest side":
            parts.append(f"filled up from {self.fill}{' after statistics' * self.fill_last}")
        parts.append(f"centre crop {self.size}{', to even' * (self.crop == 'to even')}")
        parts += ["stretched"] * self.stretch
        if self.descriptor:
            parts.append(f"descriptor {baseline_size.VERSION} beside")
        if self.regions:
            parts.insert(0, f"regions {self.regions}")
        parts.append(f"range {self.low:g} to {self.high:g}")
        parts.append(f"mean {list(self.mean)}, std {list(self.std)}")
        return "; ".join(parts)
