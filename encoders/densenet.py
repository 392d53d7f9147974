"""The encoder ``monai-densenet121``: features of MONAI's DenseNet-121 before its classifier."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from monai.networks.nets.densenet import DenseNet121
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from encoders.choice import SLICE_RULE
from encoders.encoder import EncoderError, EncoderOptions
from encoders.grayscale import WINDOW_RULE
from encoders.image import GrayscaleImage
from encoders.space import Space
from encoders.weights import Weights, load_into, read_weights

NAME = "monai-densenet121"
VERSION = "1"
DIMENSION = 1024
BATCH = 32

DEFAULT_MEAN, DEFAULT_STD, DEFAULT_SIZE = 0.5, 0.25, 224
"""Statistics and side in pixels for weights whose metadata gives none."""

_FIRST = "features.conv0.weight"
_CLASSIFIER = "class_layers."


@dataclass(frozen=True)
class Preprocessing:
    """What the network was trained to see.

    Attributes:
        channels: 1, or 3 that all get the gray image.
        size: side of the square input, pixels.
        mean, std: per channel, of gray levels in [0, 1].
    """

    channels: int
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def text(self) -> str:
        """For the Space: every number that changes the input."""
        return (
            f"longest side to {self.size} (bilinear, antialias), centred on black square; "
            f"channels {self.channels}, mean {list(self.mean)}, std {list(self.std)}"
        )

    def apply(self, image: GrayscaleImage) -> Tensor:
        """The network's input for one image; float32, shape (channels, size, size)."""
        gray = torch.from_numpy(np.ascontiguousarray(image.pixels))[None, None]
        scale = self.size / max(gray.shape[-2:])
        rows, columns = (max(1, round(side * scale)) for side in gray.shape[-2:])
        gray = functional.interpolate(
            gray, (rows, columns), mode="bilinear", align_corners=False, antialias=True
        )
        top, left = (self.size - rows) // 2, (self.size - columns) // 2
        margins = (left, self.size - columns - left, top, self.size - rows - top)
        square = functional.pad(gray, margins)[0].expand(self.channels, -1, -1)
        mean, std = torch.tensor(self.mean), torch.tensor(self.std)
        return (square - mean[:, None, None]) / std[:, None, None]


@dataclass(frozen=True)
class DenseNetEncoder:
    """The loaded network; ``network`` is its convolutional part, in eval mode on ``device``."""

    space: Space
    network: nn.Module
    preprocessing: Preprocessing
    device: torch.device

    def embed(self, images: Sequence[GrayscaleImage]) -> NDArray[np.float32]:
        """One vector per image, float32, shape (images, 1024), unit length, on the CPU.

        Raises:
            EncoderError: the device has not the memory for a batch.
        """
        try:
            return np.concatenate(list(self._batches(images)))
        except torch.OutOfMemoryError as error:
            raise EncoderError(f"{self.device} has no memory for {BATCH} images") from error

    def _batches(self, images: Sequence[GrayscaleImage]) -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(images), BATCH):
            batch = torch.stack(
                [self.preprocessing.apply(image) for image in images[start : start + BATCH]]
            )
            yield self._forward(batch).cpu().numpy()

    def _forward(self, batch: Tensor) -> Tensor:
        with torch.inference_mode():
            moved = batch.to(self.device, memory_format=torch.channels_last)
            pooled = functional.relu(self.network(moved)).mean(dim=(2, 3))
            return functional.normalize(pooled.float(), dim=1)


def load_densenet(options: EncoderOptions) -> DenseNetEncoder:
    """Build the network and fill it with a site's weights.

    The file holds MONAI's names (``features.…``); the classifier (``class_layers.…``) is passed
    over. Its metadata may give ``mean`` and ``std`` (one number, or one per channel, parted by
    commas) and ``size``; without them they are .5, .25 and 224.

    Raises:
        EncoderError: no weights are set, the file does not fit, or the device is not there.
    """
    if options.weights is None:
        raise EncoderError(f"{NAME} needs weights: set the path of a local safetensors file")
    device = _device(options.device)
    torch.set_num_threads(options.cpu_threads())
    weights = read_weights(options.weights)
    preprocessing = _preprocessing(weights)
    model = DenseNet121(spatial_dims=2, in_channels=preprocessing.channels, out_channels=1)
    del model.class_layers
    load_into(model, weights, ignored=(_CLASSIFIER,))
    network = model.features.eval().to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # not in stubs
    return DenseNetEncoder(_space(weights, preprocessing), network, preprocessing, device)


def _space(weights: Weights, preprocessing: Preprocessing) -> Space:
    return Space(
        encoder=NAME,
        encoder_version=VERSION,
        weights_digest=weights.digest,
        preprocessing=preprocessing.text,
        window_rule=WINDOW_RULE,
        slice_rule=SLICE_RULE,
        pooling="ReLU after the last norm, global average, unit length",
        dimension=DIMENSION,
    )


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise EncoderError(f"device {name!r} is unknown; use auto, cpu or cuda") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise EncoderError(f"device {name} is not on this machine; use auto or cpu")
    return device


def _preprocessing(weights: Weights) -> Preprocessing:
    first = weights.tensors.get(_FIRST)
    if first is None or first.ndim != 4 or first.shape[1] not in (1, 3):
        raise EncoderError(
            f"weights file {weights.path} does not fit the network: {_FIRST} is missing or not "
            "for 1 or 3 channels; it wants MONAI's DenseNet121 with spatial_dims=2"
        )
    channels = int(first.shape[1])
    size = _numbers(weights, "size", DEFAULT_SIZE, 1)[0]
    mean = _numbers(weights, "mean", DEFAULT_MEAN, channels)
    std = _numbers(weights, "std", DEFAULT_STD, channels)
    if not (32 <= size <= 1024 and size.is_integer() and min(std) > 0):
        raise EncoderError(
            f"weights file {weights.path}: metadata asks for size {size:g} and std {std}; "
            "size must be a whole number from 32 to 1024, std above 0"
        )
    return Preprocessing(channels, int(size), mean, std)


def _numbers(weights: Weights, key: str, default: float, count: int) -> tuple[float, ...]:
    written = weights.metadata.get(key, str(default))
    try:
        found = tuple(float(part) for part in written.strip("[]() ").split(","))
    except ValueError:
        found = ()
    found = found * count if len(found) == 1 else found
    if len(found) != count or not all(map(math.isfinite, found)):
        raise EncoderError(
            f"weights file {weights.path}: metadata {key} is {written[:40]!r}, not {count} numbers"
        )
    return found
