"""A network and how its answer becomes one vector for each image."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

Pool = Callable[[Any], Tensor]
"""From what the body answers to shape (images, dimension), not yet of unit length."""


class PooledNetwork(nn.Module):
    """The published network as ``body``, whose tensors have the published names, and its pooling.

    Args:
        body: called with a batch, float32, shape (images, channels, size, size).
        pool: from its answer to the vectors.
    """

    def __init__(self, body: nn.Module, pool: Pool) -> None:
        super().__init__()
        self.body = body
        self._pool = pool

    def pooled(self, found: Any) -> Tensor:
        """Vectors of what the body answered, shape (images, dimension), of whatever length."""
        return self._pool(found)

    def forward(self, batch: Tensor) -> Tensor:
        """Vectors, shape (images, dimension), of whatever length."""
        return self._pool(self.body(batch))
