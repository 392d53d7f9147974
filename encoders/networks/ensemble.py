"""Networks side by side as one encoder, such as paper 1's of one finding each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from encoders.encoder import EncoderError
from encoders.networks import known
from encoders.networks.pooled import PooledNetwork

Join = Callable[[list[Tensor]], Tensor]
"""From each member's vectors, of unit length, shape (images, its dimension), to one each."""


def ensemble(config: Mapping[str, Any], pooling: str) -> PooledNetwork:
    """Networks that all see the same image; tensors are named ``members.0.…`` and so on.

    Paper 1 does not say how its three networks become one. Here each one's vector is brought to
    unit length first, so that none drowns the others. Concatenated, the cosine of two images is
    then the mean of the members' cosines. Averaged vectors are as short as one member's, but their
    entries mean the same only where members grew from the same weights.

    Args:
        config: ``members``, each with ``builder`` (a name of ``encoders.networks.known``),
            ``config`` and ``pooling``.
        pooling: "concatenated" or "averaged".

    Raises:
        ValueError: there is no such pooling, or no member.
        EncoderError: a member cannot be built.
    """
    joins: dict[str, Join] = {"concatenated": _concatenated, "averaged": _averaged}
    if pooling not in joins:
        raise ValueError(f"pooling of an ensemble is {' or '.join(joins)}, not {pooling}")
    if not config["members"]:
        raise ValueError("an ensemble has one member at least")
    members = [
        known.build(one["builder"], one["config"], one["pooling"]) for one in config["members"]
    ]

    def pool(found: Sequence[Any]) -> Tensor:
        pairs = zip(members, found, strict=True)
        return joins[pooling]([functional.normalize(one.pooled(of), dim=1) for one, of in pairs])

    return PooledNetwork(SideBySide([one.body for one in members]), pool)


class SideBySide(nn.Module):
    """Bodies of networks that are called with the same batch."""

    def __init__(self, bodies: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(bodies)

    def forward(self, batch: Tensor) -> list[Any]:
        """What each answers, in their order."""
        return [member(batch) for member in self.members]


def _concatenated(vectors: list[Tensor]) -> Tensor:
    return torch.cat(vectors, dim=1)


def _averaged(vectors: list[Tensor]) -> Tensor:
    widths = [one.shape[1] for one in vectors]
    if len(set(widths)) > 1:
        raise EncoderError(
            f"vectors of {', '.join(map(str, widths))} numbers have no average; ask for the "
            "ensemble's pooling 'concatenated'"
        )
    return torch.stack(vectors).mean(0)
