"""Networks that are fed with another network's relevance maps: IG and CNN(IG) of paper 3.

Silva et al., Computer-aided diagnosis through medical image retrieval in radiology, Sci Rep 12,
20732 (2022), equation 2; their MICCAI paper of 2020 has the ablation CNN(IG).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from monai.networks.nets.densenet import DenseNet, DenseNet121
from torch import Tensor, nn

from encoders.networks.densenet_relevance import relative, relevance_of
from encoders.networks.monai_nets import mean_after_relu
from encoders.networks.pooled import PooledNetwork

FIRSTS_OWN = "first's own"
"""As ``second``: the maps go through the network that they are of."""

_OURS = frozenset({"mean", "std", "low", "high", "second"})


def densenet121_on_maps(config: Mapping[str, Any], pooling: str) -> PooledNetwork:  # noqa: ARG001
    """DenseNet-121 fed with maps of what speaks for a finding in the eyes of a first DenseNet-121.

    The first network is whole, with a classifier of one output, and stays as it is: frozen, in eval
    mode. Its relevance is summed over the input's channels and divided by the image's greatest
    magnitude (``densenet_relevance``). The map then takes the place of the gray image: 0 as black
    and 1 as white go through the preprocessing's range and statistics into all channels of the
    second network, whose last map after ReLU is averaged.

    The published code of 2020 multiplied the catalogue's maps by 255 before the statistics of 8-bit
    pictures, and forgot it for the query's, so that the two could not be compared. Here every map
    is scaled alike, as the catalogue's were.

    Tensors are named ``first.features.conv0.weight``, ``first.class_layers.out.weight`` and so on,
    as MONAI's DenseNet121 has them, and ``second.conv0.weight`` and so on.

    Args:
        config: ``in_channels``; ``mean`` and ``std`` of the preprocessing, numbers per channel, and
            its ``low`` and ``high`` where they are not 0 and 1; ``second``: "first's own" for
            CNN(IG), where the first network is fed with its own maps and there is no second;
            and what else ``monai.networks.nets.DenseNet121`` takes, for both networks.
        pooling: only "mean after ReLU": as a classifier would see it.

    Raises:
        ValueError: the statistics are missing or cannot be, or ``second`` is something else.
    """
    asked = {name: value for name, value in config.items() if name not in _OURS}
    first = DenseNet121(spatial_dims=2, out_channels=1, **asked)
    levels = Levels(config, asked["in_channels"])
    if "second" not in config:
        second = DenseNet121(spatial_dims=2, out_channels=1, **asked).features
        return PooledNetwork(OnMaps(first, second, levels), mean_after_relu)
    if config["second"] != FIRSTS_OWN:
        raise ValueError(
            f"second is {config['second']!r}: it can be {FIRSTS_OWN!r}, or be left out for a "
            "network of its own"
        )
    return PooledNetwork(OnMaps(first, None, levels), mean_after_relu)


class Levels(nn.Module):
    """The last step of a preprocessing: from gray, black 0 and white 1, to a network's input.

    It has no weights: its numbers are the declaration's, not the file's.

    Args:
        config: ``mean`` and ``std``, numbers per channel; ``low`` and ``high``, what black and
            white are before the statistics.
        channels: of the network.

    Raises:
        ValueError: statistics are missing, not one per channel, not finite or not above 0, or white
            is not above black.
    """

    black: Tensor
    white: Tensor

    def __init__(self, config: Mapping[str, Any], channels: int) -> None:
        super().__init__()
        mean, std = (_per_channel(config, name, channels) for name in ("mean", "std"))
        low, high = float(config.get("low", 0)), float(config.get("high", 1))
        if not (min(std) > 0 and low < high):
            raise ValueError(
                f"std is {list(std)}, low {low:g} and high {high:g}: std must be above 0 and high "
                "above low, as in the preprocessing"
            )
        for name, level in {"black": low, "white": high}.items():
            values = [(level - m) / s for m, s in zip(mean, std, strict=True)]
            made = torch.tensor(values)[:, None, None]
            self.register_buffer(name, made, persistent=False)

    def forward(self, gray: Tensor) -> Tensor:
        """From (images, 1, rows, columns) to (images, channels, rows, columns)."""
        return self.black + (self.white - self.black) * gray


class OnMaps(nn.Module):
    """A network fed with the first one's maps.

    Args:
        first: a whole DenseNet; it is frozen and kept in eval mode, also while the second learns.
        second: from the map as an input to features; None for the first network's own features.
        levels: of the input of both.
    """

    def __init__(self, first: DenseNet, second: nn.Module | None, levels: Levels) -> None:
        super().__init__()
        self.first = first.requires_grad_(requires_grad=False).eval()
        self.second = second
        self.levels = levels

    def train(self, mode: bool = True) -> "OnMaps":
        """As torch has it, but for the first network."""
        super().train(mode)
        self.first.eval()
        return self

    def maps(self, batch: Tensor) -> Tensor:
        """Maps of a batch of the network's inputs, in [0, 1], shape (images, 1, rows, columns).

        Inputs beyond black or white count as black or white: an augmentation may make them.
        """
        relevance = relevance_of(self.first, batch, self.levels.black, self.levels.white)
        return relative(relevance)

    def forward(self, batch: Tensor) -> Tensor:
        """Features of the maps, shape (images, features, rows / 32, columns / 32)."""
        network = self.first.features if self.second is None else self.second
        found: Tensor = network(self.levels(self.maps(batch)))
        return found


def _per_channel(config: Mapping[str, Any], name: str, channels: int) -> Sequence[float]:
    """One number per channel.

    Raises:
        ValueError: they are not that.
    """
    if name not in config:
        raise ValueError(
            f"the configuration lacks {name}: a network on maps needs the preprocessing's mean and "
            "std, to know black and white and to scale its maps alike"
        )
    try:
        values = [float(value) for value in config[name]]
    except (TypeError, ValueError):
        values = []
    if len(values) != channels or not all(map(math.isfinite, values)):
        raise ValueError(
            f"{name} is {config[name]}: it must be a list of finite numbers, one per channel, "
            f"here {channels}"
        )
    return values
