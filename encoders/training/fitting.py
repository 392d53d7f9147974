"""Whether an image goes through a network and what stands on it, asked before it learns."""

import torch
from torch import nn

from encoders.networks.pooled import PooledNetwork
from encoders.training.fault import TrainingError
from encoders.training.recipe import Recipe


def must_fit(network: PooledNetwork, head: nn.Module, recipe: Recipe) -> None:
    """Refuses, before hours of training, a network that no image of the recipe goes through.

    Raises:
        TrainingError: it is made for other inputs or another head, or gives other vectors.
    """
    seen, wanted = recipe.preprocessing, recipe.network.dimension
    shape = (1, seen.channels, seen.size, seen.size)
    network.eval()
    head.eval()
    try:
        with torch.inference_mode():
            found = network.body(torch.zeros(shape))
            vectors = network.pooled(found)
            told = tuple(vectors.shape)
            if told == (1, wanted):
                head(found, vectors)
    except (RuntimeError, ValueError, AssertionError, AttributeError, LookupError) as fault:
        said = f"recipe {recipe.name}: an input of shape {shape[1:]} does not go through"
        raise TrainingError(
            f"{said} its network and head ({fault}); preprocessing, config and head are to agree"
        ) from fault
    if told != (1, wanted):
        raise TrainingError(
            f"recipe {recipe.name}: the network's vectors have {told[-1]} numbers, and "
            f"network.dimension is {wanted}"
        )
    network.train()
    head.train()
