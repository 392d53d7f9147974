"""Attention-based triplet hashing (ATH), paper 4's rival: an image as a short code.

Fang et al. 2021, Deep Triplet Hashing Network for Case-based Medical Image Retrieval, Medical Image
Analysis 69:101981. Sizes are those of the public code, which CheXtriev's comparison has too.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from encoders.encoder import EncoderError
from encoders.networks.pooled import Pool, PooledNetwork

WIDTHS = (16, 8)
"""Channels before and after the attention."""


class Hashed(NamedTuple):
    """What a hash net answers.

    Attributes:
        features: before the hash layer, shape (images, features).
        codes: after it, one number for each bit, shape (images, bits).
    """

    features: Tensor
    codes: Tensor


def hash_net(config: Mapping[str, Any], pooling: str) -> PooledNetwork:
    """A small residual network with spatial attention and a hash layer.

    The public code embeds codes as they are and compares them by cosine, although the network is
    for hashing; both are here.

    Args:
        config: ``in_channels``, ``img_size`` (pixels), ``bits``; and, where not as published,
            ``widths``, the channels before and after the attention, and ``tanh``, whether codes
            are kept in [-1, 1]; without, as published, they are of any size.
        pooling: "continuous": codes as they are, to be compared by cosine; "sign": -1 and 1, whose
            cosine is 1 - 2 * Hamming distance / bits. Of 0 it is 1. It has no gradient: the loss
            is of continuous codes.

    Raises:
        ValueError: there is no such pooling.
    """
    pools: dict[str, Pool] = {"continuous": lambda found: found.codes, "sign": _signs}
    if pooling not in pools:
        raise ValueError(f"pooling of a hash net is {' or '.join(pools)}, not {pooling}")
    return PooledNetwork(HashNet(**config), pools[pooling])


def packed(vectors: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Codes of eight bits in a byte, the first bit highest, for ``Metric.HAMMING``.

    Args:
        vectors: a hash net's, of either pooling, of any length; shape (images, bits).

    Returns:
        Shape (images, bits / 8); a bit is 1 where the number is not negative.

    Raises:
        EncoderError: bits make no whole bytes, or a number is NaN.
    """
    bits = vectors.shape[1]
    if bits % 8 or not bits:
        raise EncoderError(f"{bits} bits make no whole bytes; give the hash net a multiple of 8")
    if np.isnan(vectors).any():
        raise EncoderError("a code holds NaN, which has no sign")
    return np.packbits(vectors >= 0, axis=1)


class HashNet(nn.Module):
    """Residual block, attention, two residual blocks, hash layer; each block halves the size.

    Attributes:
        features: how many numbers stand before the hash layer, for a classifier beside it.
    """

    def __init__(
        self,
        in_channels: int,
        img_size: int,
        bits: int,
        *,
        widths: tuple[int, int] = WIDTHS,
        tanh: bool = False,
    ) -> None:
        super().__init__()
        before, after = widths
        self.wide = Residual(in_channels, before)
        self.attention = SpatialAttention()
        self.narrow = Residual(before, after)
        self.last = Residual(after, 1)
        self.features = (-(-img_size // 8)) ** 2
        self.hash = nn.Linear(self.features, bits)
        self._tanh = tanh
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_normal_(module.weight)

    def forward(self, batch: Tensor) -> Hashed:
        """Of images of shape (images, in_channels, img_size, img_size)."""
        found = functional.max_pool2d(self.wide(batch), 3, stride=1, padding=1)
        found = self.narrow(found * self.attention(found))
        found = self.last(functional.avg_pool2d(found, 3, stride=1, padding=1))
        features = found.flatten(1)
        codes: Tensor = self.hash(features)
        return Hashed(features, codes.tanh() if self._tanh else codes)


class SpatialAttention(nn.Module):
    """How much each place counts: mean and greatest of its channels, a convolution, a sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 3, padding=1, bias=False)

    def forward(self, found: Tensor) -> Tensor:
        """Weights in (0, 1), shape (images, 1, rows, columns)."""
        both = torch.cat([found.mean(1, keepdim=True), found.amax(1, keepdim=True)], dim=1)
        weights: Tensor = self.conv(both).sigmoid()
        return weights


class Residual(nn.Module):
    """Two convolutions beside a shortcut of one, of 3 x 3 each, with batch norms; stride 2."""

    def __init__(self, channels: int, wanted: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(*_conv(channels, wanted, 2), nn.ReLU(), *_conv(wanted, wanted))
        self.shortcut = nn.Sequential(*_conv(channels, wanted, 2))

    def forward(self, found: Tensor) -> Tensor:
        """From (images, channels, rows, columns) to half the rows and columns, rounded up."""
        both: Tensor = self.convs(found) + self.shortcut(found)
        return both.relu()


class HashHead(nn.Module):
    """While a hash net learns: a classifier of what stands before the hash layer.

    Args:
        features: of the hash net.
        labels: how many are told.
    """

    def __init__(self, features: int, labels: int) -> None:
        super().__init__()
        self.out = nn.Linear(features, labels)
        nn.init.xavier_normal_(self.out.weight)

    def forward(self, found: Hashed, _vectors: Tensor) -> Tensor:
        """Logits, then continuous codes, whatever the pooling; shape (images, labels + bits)."""
        return torch.cat([self.out(found.features), found.codes], dim=1)


def _conv(channels: int, wanted: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    conv = nn.Conv2d(channels, wanted, 3, stride=stride, padding=1, bias=False)
    return conv, nn.BatchNorm2d(wanted)


def _signs(found: Hashed) -> Tensor:
    return torch.where(found.codes >= 0, 1.0, -1.0)
