"""DenseNet-121 with attention over positions and channels on three levels: ATT of paper 3.

Silva et al., Computer-aided diagnosis through medical image retrieval in radiology, Sci Rep 12,
20732 (2022), take the multi-level dual attention of Mishra et al. (IEEE Signal Processing Letters
26, 2019) to DenseNet-121, with features I_A [512, 28, 28], I_B [1024, 14, 14], I_C [1024, 7, 7].
The modules are those of Fu et al., Dual attention network for scene segmentation (CVPR 2019).

The paper gives neither the wiring nor code; this is ours:

- I_A, I_B and I_C are what dense blocks 2, 3 and 4 answer, for only these have those shapes, each
  after the norm and the ReLU that stand behind it in DenseNet (of the transitions, and ``norm5``):
  attention compares what the next layer sees, and raw sums of a block have no common scale.
- Each level goes through position and channel attention side by side; the two are summed.
- Each sum is averaged over its positions, and the three means make one vector.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from monai.networks.nets.densenet import DenseNet121
from torch import Tensor, nn
from torch.nn import functional

from encoders.networks.pooled import PooledNetwork

LEVELS = 3
NARROWER = 8
"""Queries and keys have an eighth of the channels, as in the code of Fu et al."""


def densenet121_attention(config: Mapping[str, Any], pooling: str) -> PooledNetwork:  # noqa: ARG001
    """DenseNet-121 whose last three dense blocks are attended; 512 + 1024 + 1024 = 2560 numbers.

    Tensors are named ``features.conv0.weight`` and so on, as MONAI's DenseNet121 has them, and
    ``attention.0.position.query.weight`` and so on.

    Args:
        config: ``in_channels``, and what else ``monai.networks.nets.DenseNet121`` takes; three
            dense blocks at least.
        pooling: only "mean of levels".

    Raises:
        ValueError: there are fewer dense blocks.
    """
    model = DenseNet121(spatial_dims=2, out_channels=1, **config)
    return PooledNetwork(AttendedDenseNet(model.features), _mean_of_levels)


class PositionAttention(nn.Module):
    """Each position is given what positions like it hold (Fu et al., section 3.2).

    With key B_i, query C_i and value D_i of position i, the answer for position j is
    E_j = alpha sum_i s_ji D_i + A_j (equation 2), where s_ji is the softmax over i of the dot
    products B_i C_j (equation 1). Alpha is learned and begins at 0: the input as it is.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(1, channels // NARROWER)
        self.query = nn.Conv2d(channels, narrow, 1)
        self.key = nn.Conv2d(channels, narrow, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, found: Tensor) -> Tensor:
        """Shape (images, channels, rows, columns), as the input."""
        asking, asked = self.query(found).flatten(2).mT, self.key(found).flatten(2).mT
        shares = _shares(asking, asked)
        held = self.value(found).flatten(2)
        attended: Tensor = self.scale * (held @ shares.mT).view(found.shape) + found
        return attended


class ChannelAttention(nn.Module):
    """Each channel is given what channels like it hold (Fu et al., section 3.3).

    E_j = beta sum_i x_ji A_i + A_j (equation 4), where x_ji is the softmax over i of the dot
    products A_i A_j of channels, over all positions (equation 3). Beta is learned and begins at 0.

    The code of Fu et al. takes the softmax of how much a product lacks to the row's greatest, which
    turns the order round: least alike channels weigh most. Here it is as the paper has it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, found: Tensor) -> Tensor:
        """Shape (images, channels, rows, columns), as the input."""
        held = found.flatten(2)
        shares = _shares(held, held)
        attended: Tensor = self.scale * (shares @ held).view(found.shape) + found
        return attended


class DualAttention(nn.Module):
    """Position and channel attention side by side, summed (Fu et al., figure 2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.position = PositionAttention(channels)
        self.channel = ChannelAttention()

    def forward(self, found: Tensor) -> Tensor:
        """Shape (images, channels, rows, columns), as the input."""
        summed: Tensor = self.position(found) + self.channel(found)
        return summed


class AttendedDenseNet(nn.Module):
    """DenseNet's features, the last three levels attended.

    Args:
        features: of MONAI's DenseNet.

    Raises:
        ValueError: there are fewer than three dense blocks.
    """

    def __init__(self, features: nn.Sequential) -> None:
        super().__init__()
        self.features = features
        widths = [_width(part) for name, part in features.named_children() if _ends_block(name)]
        if len(widths) < LEVELS:
            raise ValueError(f"there are {len(widths)} dense blocks; attention takes {LEVELS}")
        self.attention = nn.ModuleList(map(DualAttention, widths[-LEVELS:]))

    def forward(self, batch: Tensor) -> tuple[Tensor, ...]:
        """Three attended maps, from fine to coarse.

        With DenseNet-121 of shapes (images, 512, s/8, s/8), (images, 1024, s/16, s/16) and
        (images, 1024, s/32, s/32) for images of s x s pixels.
        """
        levels = list(self._levels(batch))[-LEVELS:]
        return tuple(one(level) for one, level in zip(self.attention, levels, strict=True))

    def _levels(self, found: Tensor) -> Iterator[Tensor]:
        """What each dense block answers, after norm and ReLU."""
        for name, part in self.features.named_children():
            if not _ends_block(name):
                found = part(found)
            elif isinstance(part, nn.Sequential):  # norm, ReLU, convolution, pooling
                seen = functional.relu(part.get_submodule("norm")(found))
                yield seen
                found = part.get_submodule("pool")(part.get_submodule("conv")(seen))
            else:
                yield functional.relu(part(found))


def _ends_block(name: str) -> bool:
    """Whether the part stands behind a dense block: a transition, or the last norm."""
    return name.startswith("transition") or name == "norm5"


def _width(part: nn.Module) -> int:
    norm = part.get_submodule("norm") if isinstance(part, nn.Sequential) else part
    if not isinstance(norm, nn.BatchNorm2d):
        raise ValueError(f"behind a dense block stands a {type(norm).__name__}, no batch norm")
    return norm.num_features


def _shares(asking: Tensor, asked: Tensor) -> Tensor:
    """How much each row of one gives of itself to each row of the other: rows sum to 1.

    From shapes (images, rows, numbers) and (images, others, numbers) to (images, rows, others). In
    fp32 also under autocast: sums over all positions may pass the greatest number of 16 bits.
    """
    with torch.autocast(asking.device.type, enabled=False):
        return (asking.float() @ asked.float().mT).softmax(dim=2)


def _mean_of_levels(levels: Sequence[Tensor]) -> Tensor:
    return torch.cat([level.mean(dim=(2, 3)) for level in levels], dim=1)
