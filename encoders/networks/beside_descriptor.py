"""What networks say of an image beside what the weight-free descriptor says of it.

Networks that learned from few images know findings and forget how an image looks; the descriptor
knows nothing else. Side by side they find better than either (docs/benchmarks.md). Of images that
the networks were not made for, only the descriptor is asked.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from encoders.descriptor_channel import descriptor_of, is_made_for
from encoders.networks import known
from encoders.networks.pooled import PooledNetwork


class Both(NamedTuple):
    """What is said of images.

    Attributes:
        descriptor: shape (images, ``baseline_size.DIMENSION``).
        made_for: 1 where the networks were made for the image, else 0; shape (images, 1).
        found: what each network's body answers.
    """

    descriptor: Tensor
    made_for: Tensor
    found: list[Any]


def beside_descriptor(config: Mapping[str, Any], pooling: str) -> PooledNetwork:
    """The descriptor, of length 1, and the networks' vectors behind it, each of its share's length.

    The last channel of its input is ``encoders.descriptor_channel``'s. The cosine of two images
    that the networks were not made for is that of their descriptors. Tensors are named
    ``parts.0.…`` and so on.

    Args:
        config: ``parts``, each with ``builder`` (a name of ``encoders.networks.known``),
            ``config``, ``pooling``, ``share``, and ``descriptor``: whether it is shown the last
            channel, too.
        pooling: only "concatenated".

    Raises:
        ValueError: there is no part, a share is not above 0, a word is unknown, or there is no such
            pooling.
        EncoderError: a network cannot be built.
    """
    if pooling != "concatenated":
        raise ValueError(f"pooling beside the descriptor is 'concatenated', not {pooling!r}")
    if unknown := config.keys() - {"parts"}:
        raise ValueError(f"there is no {', '.join(sorted(unknown))}")
    parts = [_part(one) for one in config["parts"]]
    if not parts:
        raise ValueError("one part at least stands beside the descriptor")

    def pool(both: Both) -> Tensor:
        vectors = [functional.normalize(both.descriptor, dim=1)]
        for part, found in zip(parts, both.found, strict=True):
            unit = functional.normalize(part.network.pooled(found), dim=1)
            vectors.append(part.share * both.made_for * unit)
        return torch.cat(vectors, dim=1)

    return PooledNetwork(Beside(parts), pool)


class Part(NamedTuple):
    """A network beside the descriptor.

    Attributes:
        network: whose vectors are taken.
        share: their length, where the descriptor's is 1.
        sees_descriptor: whether its input has the last channel, too.
    """

    network: PooledNetwork
    share: float
    sees_descriptor: bool


class Beside(nn.Module):
    """Shows images to networks, with the descriptor or without."""

    def __init__(self, parts: list[Part]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(part.network.body for part in parts)
        self._with_descriptor = [part.sees_descriptor for part in parts]

    def forward(self, batch: Tensor) -> Both:
        """Of shape (images, channels + 1, size, size)."""
        pairs = zip(self.parts, self._with_descriptor, strict=True)
        found = [body(batch if with_it else batch[:, :-1]) for body, with_it in pairs]
        return Both(descriptor_of(batch), is_made_for(batch), found)


def _part(told: Mapping[str, Any]) -> Part:
    if unknown := told.keys() - {"builder", "config", "pooling", "share", "descriptor"}:
        raise ValueError(f"a part has no {', '.join(sorted(unknown))}")
    share = float(told["share"])
    if not share > 0:
        raise ValueError(f"share is {share}, it is above 0")
    network = known.build(told["builder"], told["config"], told["pooling"])
    return Part(network, share, bool(told.get("descriptor", False)))
