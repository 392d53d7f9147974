"""What stands on a network while it learns."""

from typing import Any

from torch import Tensor, nn

from encoders.training.fault import TrainingError


class Linear(nn.Module):
    """A linear classifier of the vector.

    Args:
        dimension: of the vector.
        outputs: how many targets there are.
    """

    def __init__(self, dimension: int, outputs: int) -> None:
        super().__init__()
        self.out = nn.Linear(dimension, outputs)

    def forward(self, _found: Any, vectors: Tensor) -> Tensor:
        """Logits, shape (images, outputs)."""
        logits: Tensor = self.out(vectors)
        return logits


class NoHead(nn.Module):
    """The loss is told the vector itself."""

    def forward(self, _found: Any, vectors: Tensor) -> Tensor:
        """The vectors."""
        return vectors


def head_of(name: str, dimension: int, outputs: int) -> nn.Module:
    """The head of that name.

    Args:
        name: as recipes have it.
        dimension: of the network's vectors.
        outputs: how many targets there are.

    Raises:
        TrainingError: there is none of that name.
    """
    if name == "linear":
        return Linear(dimension, outputs)
    if name == "none":
        return NoHead()
    raise TrainingError(f"there is no head {name!r}; there are linear, none")
