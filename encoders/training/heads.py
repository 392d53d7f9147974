"""What stands on a network while it learns."""

from typing import Any

import torch
from torch import Tensor, nn

from encoders.networks.graph_transformer import NodeStates
from encoders.networks.hashing import HashHead, HashNet
from encoders.networks.pooled import PooledNetwork
from encoders.networks.region_graph import last_states
from encoders.training.fault import TrainingError


class Linear(nn.Module):
    """A linear classifier of the vector.

    Args:
        dimension: of the vector.
        outputs: how many targets there are.
        dropout: part of the vector that it does not see, by lot, while it learns.
    """

    def __init__(self, dimension: int, outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.out = nn.Linear(dimension, outputs)
        self._drop = nn.Dropout(dropout)

    def forward(self, _found: Any, vectors: Tensor) -> Tensor:
        """Logits, shape (images, outputs)."""
        logits: Tensor = self.out(self._drop(vectors))
        return logits


class LinearBesideVector(Linear):
    """A linear classifier, for a loss that is told the vector, too."""

    def forward(self, found: Any, vectors: Tensor) -> Tensor:
        """Logits, then the vector; shape (images, outputs + dimension)."""
        return torch.cat([super().forward(found, vectors), vectors], dim=1)


class NoHead(nn.Module):
    """The loss is told the vector itself."""

    def forward(self, _found: Any, vectors: Tensor) -> Tensor:
        """The vectors."""
        return vectors


class OnLastStates(nn.Module):
    """A linear classifier of what a graph of regions ends with (paper 4); its vector has more.

    Args:
        dimension: of a region's state.
        outputs: how many targets there are.
    """

    def __init__(self, dimension: int, outputs: int) -> None:
        super().__init__()
        self.out = nn.Linear(dimension, outputs)

    def forward(self, found: NodeStates, _vectors: Tensor) -> Tensor:
        """Logits, shape (images, outputs)."""
        logits: Tensor = self.out(last_states(found))
        return logits


def head_of(
    name: str, network: PooledNetwork, dimension: int, outputs: int, dropout: float = 0.0
) -> nn.Module:
    """The head of that name.

    Args:
        name: as recipes have it.
        network: that it stands on.
        dimension: of the network's vectors.
        outputs: how many targets there are.
        dropout: part of the vector that a linear one does not see, by lot, while it learns.

    Raises:
        TrainingError: there is none of that name, or it does not stand on such a network.
    """
    if name == "linear":
        return Linear(dimension, outputs, dropout)
    if name == "linear and vector":
        return LinearBesideVector(dimension, outputs, dropout)
    if name == "linear on last states":
        return OnLastStates(dimension, outputs)
    if name == "codes and classes":
        return _on_codes(network, outputs)
    if name == "none":
        return NoHead()
    known = "linear, linear and vector, linear on last states, codes and classes, none"
    raise TrainingError(f"there is no head {name!r}; there are {known}")


def _on_codes(network: PooledNetwork, outputs: int) -> nn.Module:
    if not isinstance(network.body, HashNet):
        raise TrainingError("head 'codes and classes' stands on a hash net")
    return HashHead(network.body.features, outputs)
