"""A network's vector beside what the weight-free descriptor says of the same image.

A network that learned from few images knows findings and forgets how an image looks; the descriptor
knows nothing else. Side by side they find better than either (docs/benchmarks.md).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from encoders.baseline_size import DIMENSION
from encoders.networks import known
from encoders.networks.pooled import PooledNetwork


class Both(NamedTuple):
    """What is said of images.

    Attributes:
        descriptor: shape (images, ``baseline_size.DIMENSION``).
        found: what the network's body answers.
    """

    descriptor: Tensor
    found: Any


def beside_descriptor(config: Mapping[str, Any], pooling: str) -> PooledNetwork:
    """The descriptor and the network's vector behind each other, each of unit length.

    The last channel of its input holds the descriptor (``Preprocessing.descriptor``). Tensors are
    named ``network.…``.

    Args:
        config: ``network``, with ``builder`` (a name of ``encoders.networks.known``), ``config``
            and ``pooling``; ``share``, the length of the network's part, where the descriptor's is
            1.
        pooling: only "concatenated".

    Raises:
        ValueError: the share is not above 0, or there is no such pooling.
        EncoderError: the network cannot be built.
    """
    if unknown := config.keys() - {"network", "share"}:
        raise ValueError(f"there is no {', '.join(sorted(unknown))}")
    share = float(config["share"])
    if not share > 0 or pooling != "concatenated":
        raise ValueError(f"share is {share}, it is above 0; pooling is {pooling!r}: 'concatenated'")
    told = config["network"]
    network = known.build(told["builder"], told["config"], told["pooling"])

    def pool(both: Both) -> Tensor:
        vectors = functional.normalize(network.pooled(both.found), dim=1)
        return torch.cat([functional.normalize(both.descriptor, dim=1), share * vectors], dim=1)

    return PooledNetwork(Beside(network.body), pool)


class Beside(nn.Module):
    """Parts the descriptor from the image."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Tensor) -> Both:
        """Of shape (images, channels + 1, size, size)."""
        return Both(batch[:, -1].flatten(1)[:, :DIMENSION], self.network(batch[:, :-1]))
