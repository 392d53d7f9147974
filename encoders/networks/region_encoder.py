"""From the crops of an image's regions to one vector for each region."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monai.networks.nets.resnet import ResNetBlock
from torch import Tensor, nn

from encoders.encoder import EncoderError
from encoders.networks import monai_nets
from encoders.networks.pooled import PooledNetwork

_PLANES = (64, 128, 256, 512)


@dataclass(frozen=True)
class Backbone:
    """A network for one crop and the length of its vectors."""

    network: PooledNetwork
    width: int


class RegionEncoder(nn.Module):
    """Each region's crop through one and the same backbone, then a perceptron (paper 4, 2.2).

    Args:
        backbone: shared by all regions; who freezes it is whoever trains.
        regions: crops of an image.
        channels: of a crop.
        mlp: widths of the linear layers, with a ReLU between each two; without any the backbone's
            vectors are the regions'.
    """

    def __init__(self, backbone: Backbone, regions: int, channels: int, mlp: Sequence[int]) -> None:
        super().__init__()
        self.backbone = backbone.network
        self.mlp = _perceptron(backbone.width, mlp)
        self.width = mlp[-1] if mlp else backbone.width
        self._crops = nn.Unflatten(1, (regions, channels))
        self._images = nn.Unflatten(0, (-1, regions))

    def forward(self, crops: Tensor) -> Tensor:
        """h(0) of each region, shape (images, regions, width).

        Args:
            crops: float32, shape (images, regions * channels, size, size), all channels of the
                first region first.

        Raises:
            RuntimeError: there are more or fewer channels.
        """
        single = self._crops(crops).flatten(0, 1)
        found: Tensor = self._images(self.mlp(self.backbone(single)))
        return found


def region_encoder(config: Mapping[str, Any]) -> RegionEncoder:
    """The encoder of a network's config.

    Args:
        config: ``in_channels`` of a crop; ``regions``; ``backbone``, by ``backbone``'s names;
            ``backbone_config``; ``mlp``. Others are passed over.

    Raises:
        EncoderError: a number is below 1, or there is no such backbone.
    """
    regions, channels, mlp = config["regions"], config["in_channels"], config.get("mlp", ())
    if min(regions, channels, *mlp) < 1:
        raise EncoderError(f"{regions} regions of {channels} channels, mlp {mlp}: all are above 0")
    found = backbone(config["backbone"], channels, config.get("backbone_config", {}))
    return RegionEncoder(found, regions, channels, mlp)


def backbone(name: str, channels: int, config: Mapping[str, Any]) -> Backbone:
    """A network of MONAI with the parameters of its paper, unless ``config`` says others.

    Args:
        name: ``resnet50`` (paper 4), ``densenet121`` (its AnaXNet), or ``resnet18``, which two
            cores can train.
        channels: of its input.
        config: ``layers`` and ``planes`` of a ResNet; what ``DenseNet121`` takes.

    Raises:
        EncoderError: there is no such network.
    """
    asked = {"in_channels": channels, **config}
    if name == "densenet121":
        network = monai_nets.densenet121(asked, "mean after ReLU")
        return Backbone(network, len(network.body.get_parameter("norm5.weight")))
    if name == "resnet50":
        asked = {"layers": (3, 4, 6, 3), "planes": _PLANES, **asked}
        return Backbone(monai_nets.resnet50(asked, "mean"), 4 * asked["planes"][-1])
    if name == "resnet18":
        asked = {"layers": (2, 2, 2, 2), "planes": _PLANES, **asked}
        # the smaller one of table 1 (He et al., CVPR 2016)
        return Backbone(monai_nets.resnet(ResNetBlock, asked), asked["planes"][-1])
    raise EncoderError(f"no backbone {name!r}; there are densenet121, resnet18 and resnet50")


def _perceptron(width: int, widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip((width, *widths), widths, strict=False):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])  # no ReLU after the last one
