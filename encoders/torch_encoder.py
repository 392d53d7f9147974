"""Declared networks behind the encoder interface: built, filled with weights, run in batches."""

import dataclasses
import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from encoders.choice import SLICE_RULE
from encoders.declaration import Declaration, OwnFile
from encoders.encoder import EncoderError, EncoderOptions, Prepared
from encoders.fetched import located
from encoders.grayscale import WINDOW_RULE
from encoders.image import GrayscaleImage
from encoders.networks.pooled import PooledNetwork
from encoders.preprocessing import Preprocessing
from encoders.space import Space
from encoders.transforms import transforms_of
from encoders.weights import Weights, load_into, read_weights


@dataclass(frozen=True)
class TorchEncoder:
    """A loaded network, in eval mode on ``device``."""

    space: Space
    network: PooledNetwork
    transform: Callable[[NDArray[np.float32]], Tensor]
    device: torch.device
    batch: int
    lanes: int = 1

    def prepare(self, image: GrayscaleImage) -> Prepared:
        """The network's input for one image; float32, shape (channels, size, size)."""
        return self.transform(image.pixels).numpy()

    def infer(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        """One vector per image, float32, shape (images, dimension), unit length, on the CPU.

        Raises:
            EncoderError: the device has not the memory for a batch.
        """
        try:
            return self._forward(torch.from_numpy(np.stack(prepared))).cpu().numpy()
        except torch.OutOfMemoryError as error:
            raise EncoderError(f"{self.device} has no memory for {len(prepared)} images") from error

    def _forward(self, batch: Tensor) -> Tensor:
        with torch.inference_mode():
            moved = batch.to(self.device, memory_format=torch.channels_last)
            return functional.normalize(self.network(moved).float(), dim=1)


def load(declaration: Declaration, options: EncoderOptions) -> TorchEncoder:
    """Build the declared network and fill it with its weights.

    Raises:
        EncoderError: the file is missing or does not fit, or the device is not there.
    """
    device = _device(options.device)
    torch.set_num_threads(options.cpu_threads())
    weights = read_weights(located(declaration, options))
    told = as_told(declaration, weights)
    network = build(told)
    load_into(network.body, weights, told.names)
    network.eval().to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # not in stubs
    preprocessing = _preprocessing(told)
    return TorchEncoder(
        space=space_of(told, weights.digest),
        network=network,
        transform=transforms_of(preprocessing),
        device=device,
        batch=options.batch,
    )


def build(declaration: Declaration) -> PooledNetwork:
    """The declared network with random weights."""
    module, function = declaration.network.split(":")
    make = getattr(importlib.import_module(module), function)
    network: PooledNetwork = make(declaration.config, declaration.pooling)
    return network


def space_of(declaration: Declaration, weights_digest: str) -> Space:
    """What the declared encoder's vectors mean."""
    window = declaration.ct_window
    return Space(
        encoder=declaration.name,
        encoder_version=declaration.version,
        weights_digest=weights_digest,
        preprocessing=_preprocessing(declaration).text,
        window_rule=WINDOW_RULE + (f"; CT at {window[0]:g}/{window[1]:g} HU" if window else ""),
        slice_rule=SLICE_RULE,
        pooling=f"{declaration.pooling}, unit length",
        dimension=declaration.dimension,
    )


def as_told(declaration: Declaration, weights: Weights) -> Declaration:
    """The declaration with what a file of the site's own says in its metadata.

    That is ``size`` in pixels, ``mean`` and ``std`` (one number, or one per channel, parted by
    commas), and ``channels``, 1 or 3.

    Raises:
        EncoderError: a number cannot be meant.
    """
    if not isinstance(declaration.source, OwnFile):
        return declaration
    asked = _preprocessing(declaration)
    channels = int(_numbers(weights, "channels", (float(asked.channels),), 1)[0])
    size = _numbers(weights, "size", (float(asked.size),), 1)[0]
    mean = _numbers(weights, "mean", asked.mean, channels)
    std = _numbers(weights, "std", asked.std, channels)
    if not (32 <= size <= 1024 and size.is_integer() and min(std) > 0 and channels in (1, 3)):
        raise EncoderError(
            f"weights file {weights.path}: metadata asks for size {size:g}, {channels} channels "
            f"and std {std}; size must be a whole number from 32 to 1024, channels 1 or 3, "
            "std above 0"
        )
    told = dataclasses.replace(asked, size=int(size), mean=mean, std=std)
    config = {**declaration.config, "in_channels": channels}
    return dataclasses.replace(declaration, preprocessing=told, config=config)


def _preprocessing(declaration: Declaration) -> Preprocessing:
    if declaration.preprocessing is None:
        raise EncoderError(f"{declaration.name} declares no preprocessing")
    return declaration.preprocessing


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


def _numbers(
    weights: Weights, key: str, default: tuple[float, ...], count: int
) -> tuple[float, ...]:
    written = weights.metadata.get(key)
    try:
        parts = default if written is None else tuple(map(float, written.strip("[]() ").split(",")))
    except ValueError:
        parts = ()
    found = parts * count if len(parts) == 1 else parts
    if written is None and len(found) != count:
        found = default[:1] * count
    if len(found) != count or not all(map(math.isfinite, found)):
        raise EncoderError(
            f"weights file {weights.path}: metadata {key} is {str(written)[:40]!r}, "
            f"not {count} numbers"
        )
    return found
