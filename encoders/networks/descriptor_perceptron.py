"""A perceptron of the weight-free descriptor: what can be learned of how an image looks."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from encoders.baseline_size import DIMENSION
from encoders.descriptor_channel import descriptor_of
from encoders.networks.pooled import PooledNetwork


def descriptor_perceptron(config: Mapping[str, Any], pooling: str) -> PooledNetwork:
    """One hidden layer on the descriptor, each of whose numbers has mean 0 and deviation 1.

    Its vector goes through a batch norm without weights, as that of ``small_resnet`` does.

    Args:
        config: ``hidden``, numbers of the hidden layer; ``dimension``, of the vector; ``dropout``,
            part of the descriptor and of the hidden layer that is not seen, by lot, while it
            learns.
        pooling: only "normed".

    Raises:
        ValueError: a number is below 1, dropout is not in [0, 1), a word is unknown, or there is no
            such pooling.
    """
    if pooling != "normed":
        raise ValueError(f"pooling of a perceptron is 'normed', not {pooling!r}")
    if unknown := config.keys() - {"hidden", "dimension", "dropout"}:
        raise ValueError(f"there is no {', '.join(sorted(unknown))}")
    hidden, dimension = int(config["hidden"]), int(config["dimension"])
    dropout = float(config["dropout"])
    if min(hidden, dimension) < 1 or not 0 <= dropout < 1:
        raise ValueError(
            f"hidden {hidden} and dimension {dimension} are at least 1, dropout {dropout} in [0, 1)"
        )
    return PooledNetwork(Perceptron(hidden, dimension, dropout), nn.Identity())


class Perceptron(nn.Module):
    """From images with the descriptor's channel to vectors; the images themselves it never sees."""

    def __init__(self, hidden: int, dimension: int, dropout: float) -> None:
        super().__init__()
        self.seen = nn.BatchNorm1d(DIMENSION, affine=False)
        self.hidden = nn.Linear(DIMENSION, hidden)
        self.out = nn.Linear(hidden, dimension)
        self.norm = nn.BatchNorm1d(dimension, affine=False)
        self._drop = nn.Dropout(dropout)

    def forward(self, batch: Tensor) -> Tensor:
        """Shape (images, dimension), of a batch whose last channel holds the descriptor."""
        seen = self._drop(self.seen(descriptor_of(batch)))
        found: Tensor = self.norm(self.out(self._drop(self.hidden(seen).relu())))
        return found
