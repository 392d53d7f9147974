"""Networks that show how they are run; each is declared with a builder of this module."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from encoders.declaration import Declaration, OwnFile
from encoders.encoder import EncoderOptions
from encoders.image import GrayscaleImage
from encoders.networks.pooled import PooledNetwork
from encoders.preprocessing import Preprocessing

SIDE, DIMENSION = 32, 8


class Convolution(nn.Module):
    """A convolution, a norm and a linear layer; answers (images, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 3, stride=2)
        self.norm = nn.BatchNorm2d(16)
        self.linear = nn.Linear(16, DIMENSION)

    def forward(self, batch: Tensor) -> Tensor:
        found: Tensor = self.norm(self.conv(batch)).relu().mean(dim=(2, 3))
        return self.linear(found)  # type: ignore[no-any-return]


class Greedy(Convolution):
    """Has memory for so many images and no more; remembers the batches that it was asked for."""

    def __init__(self, most: int, asked: list[int]) -> None:
        super().__init__()
        self._most = most
        self._asked = asked

    def forward(self, batch: Tensor) -> Tensor:
        self._asked.append(len(batch))
        if len(batch) > self._most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().forward(batch)


class TooLarge(Convolution):
    """Fits no device."""

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 TiB")


class NanOfWhite(Convolution):
    """Answers NaN for an image that is white all over."""

    def forward(self, batch: Tensor) -> Tensor:
        white = batch.flatten(1).min(dim=1).values == 1
        return super().forward(batch).masked_fill(white[:, None], torch.nan)


def build(config: Mapping[str, Any], pooling: str) -> PooledNetwork:
    """What ``config`` names; a pool that is a function is shared by copies of the network."""
    return PooledNetwork(config["make"](), config.get("pool", _as_it_is))


def _as_it_is(found: Tensor) -> Tensor:
    return found


def declared(**config: Any) -> Declaration:
    return Declaration(
        name="running",
        summary="a network to run",
        network=f"{__name__}:build",
        dimension=DIMENSION,
        licence="none",
        config=config,
        source=OwnFile(),
        preprocessing=Preprocessing(
            size=SIDE, resize="square", eight_bits=False, mean=(0.0,), std=(1.0,)
        ),
    )


def options(folder: Path, **more: Any) -> EncoderOptions:
    """Options with random weights, the same for all of these networks."""
    path = folder / "weights.safetensors"
    torch.manual_seed(5)
    save_file(Convolution().state_dict(), path)
    return EncoderOptions(**{"weights": path, "device": "cpu", "threads": 1, **more})


def images(count: int) -> list[GrayscaleImage]:
    """Noise, each different."""
    pixels = np.random.default_rng(1).random((count, SIDE, SIDE), dtype=np.float32)
    return [GrayscaleImage(each) for each in pixels]
