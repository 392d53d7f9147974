"""A small residual network, for sets of hundreds of images on a CPU."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from encoders.networks.pooled import PooledNetwork

STAGES = 4


def small_resnet(config: Mapping[str, Any], pooling: str) -> PooledNetwork:
    """Four stages of one residual block each (He et al. 2016), each half as large, twice as wide.

    The image's own mean and deviation are taken away first, so that exposure and windowing tell
    nothing. The mean of the last map goes through a batch norm without weights: each number of a
    vector has mean 0 and deviation 1 over the images that were learned, so that no few of them
    decide a cosine.

    Args:
        config: ``in_channels``; ``width``, channels of the first stage; ``mirrored``, whether an
            image's vector is the mean of its own and its mirror image's, once it has learned.
        pooling: only "normed mean".

    Raises:
        ValueError: a number is below 1, or there is no such pooling.
    """
    if pooling != "normed mean":
        raise ValueError(f"pooling of a small resnet is 'normed mean', not {pooling!r}")
    channels, width = int(config["in_channels"]), int(config["width"])
    if min(channels, width) < 1:
        raise ValueError(f"in_channels {channels} and width {width} are at least 1")
    mirrored = bool(config.get("mirrored", False))
    return PooledNetwork(SmallResNet(channels, width, mirrored=mirrored), nn.Identity())


class SmallResNet(nn.Module):
    """From images to vectors of 8 times ``width`` numbers."""

    def __init__(self, channels: int, width: int, *, mirrored: bool) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.InstanceNorm2d(channels),
            nn.Conv2d(channels, width, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        widths = [width * 2**stage for stage in range(STAGES)]
        pairs = zip([width, *widths], widths, strict=False)
        self.stages = nn.Sequential(*(Residual(before, after) for before, after in pairs))
        self.norm = nn.BatchNorm1d(widths[-1], affine=False)
        self._mirrored = mirrored

    def forward(self, batch: Tensor) -> Tensor:
        """Shape (images, 8 width), of images of shape (images, channels, size, size)."""
        if self.training or not self._mirrored:
            return self._vectors(batch)
        return (self._vectors(batch) + self._vectors(batch.flip(3))) / 2

    def _vectors(self, batch: Tensor) -> Tensor:
        found: Tensor = self.norm(self.stages(self.stem(batch)).mean(dim=(2, 3)))
        return found


class Residual(nn.Module):
    """Two convolutions of 3 x 3 beside a shortcut of 1 x 1, with batch norms; stride 2."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.shortcut = nn.Sequential(
            nn.Conv2d(before, after, 1, stride=2, bias=False), nn.BatchNorm2d(after)
        )

    def forward(self, found: Tensor) -> Tensor:
        """Half the rows and columns, rounded up."""
        return functional.relu(self.convs(found) + self.shortcut(found))
