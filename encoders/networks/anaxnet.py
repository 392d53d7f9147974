"""AnaXNet (Agu et al., MICCAI 2021): regions related by a graph convolution on a fixed graph.

It is CheXtriev's local rival. Its published regions come of a detector; here, as in CheXtriev's
comparison, of crops that go through one backbone.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from encoders.encoder import EncoderError
from encoders.networks import adjacency
from encoders.networks.pooled import PooledNetwork
from encoders.networks.region_encoder import RegionEncoder, region_encoder

SLOPE = 0.2
"""Of the leaky ReLU between the two layers."""
_KNOWN = {
    "in_channels",
    "regions",
    "backbone",
    "backbone_config",
    "mlp",
    "neighbours",
    "hidden",
    "normalised",
}


class AnaXNet(nn.Module):
    """The region encoder, the graph convolutions, and what they say added to each region.

    Args:
        regions: the encoder of crops.
        graph: the convolutions.
    """

    def __init__(self, regions: RegionEncoder, graph: "RegionConvolutions") -> None:
        super().__init__()
        self.regions = regions
        self.graph = graph
        self.norm = nn.LayerNorm(regions.width)

    def forward(self, crops: Tensor) -> Tensor:
        """The states of every region, float32, shape (images, regions, width).

        Args:
            crops: float32, shape (images, regions * channels, size, size), all channels of the
                first region first.
        """
        seen = self.regions(crops)
        found: Tensor = self.norm(seen + self.graph(seen))
        return found


class RegionConvolutions(nn.Module):
    """Two graph convolutions, whose answer says which regions speak for which.

    Z = A LeakyReLU(A F W1) W2, and the answer is softmax(F Z^T) F: a mean of the regions' own
    vectors F. The softmax is over the regions that are summed; the published code leaves its axis
    to torch, which then takes it over the images of a batch.

    Args:
        neighbours: A, float32, shape (regions, regions).
        width: of a region's vector.
        hidden: width between the two layers.
    """

    neighbours: Tensor

    def __init__(self, neighbours: Tensor, width: int, hidden: int) -> None:
        super().__init__()
        # saved with the weights: a vector means nothing without the graph that it was made with
        self.register_buffer("neighbours", neighbours)
        self.inner = _drawn(width, hidden)
        self.outer = _drawn(hidden, width)

    def forward(self, seen: Tensor) -> Tensor:
        """What is added to each region, shape (images, regions, width), as ``seen``."""
        hidden = functional.leaky_relu(self.neighbours @ (seen @ self.inner), SLOPE)
        related = self.neighbours @ (hidden @ self.outer)
        return (seen @ related.transpose(1, 2)).softmax(dim=-1) @ seen


def anaxnet(config: Mapping[str, Any], pooling: str) -> PooledNetwork:
    """The network with random weights; its vector is the mean over regions.

    Args:
        config: ``neighbours``, rows of 0 and 1; ``hidden``, between the convolutions (2048);
            ``normalised``, whether they are D^-1/2 A D^-1/2 as Kipf and Welling have it (True) or
            the bare matrix, as the published code does; and what ``region_encoder`` takes.
        pooling: only "mean of regions".

    Raises:
        EncoderError: something in ``config`` or ``pooling`` is not known or cannot be.
    """
    if unknown := config.keys() - _KNOWN:
        raise EncoderError(f"AnaXNet has no {', '.join(sorted(unknown))}")
    if pooling != "mean of regions":
        raise EncoderError(f"no pooling {pooling!r} of AnaXNet; there is 'mean of regions'")
    hidden = config.get("hidden", 2048)
    if hidden < 1:
        raise EncoderError(f"hidden is {hidden}; it is above 0")
    regions = region_encoder(config)
    given = adjacency.checked(config.get("neighbours"), config["regions"])
    scaled = adjacency.normalised(given) if config.get("normalised", True) else given.float()
    graph = RegionConvolutions(scaled, regions.width, hidden)
    return PooledNetwork(AnaXNet(regions, graph), _mean_of_regions)


def _mean_of_regions(found: Tensor) -> Tensor:
    return found.mean(dim=1)


def _drawn(before: int, after: int) -> nn.Parameter:
    """Weights as the published code draws them: evenly, up to one over the root of the width."""
    bound = 1 / math.sqrt(after)
    return nn.Parameter(torch.empty(before, after).uniform_(-bound, bound))
