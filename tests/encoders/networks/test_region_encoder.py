"""Crops to vectors: one backbone for all regions, each region alone."""

from typing import Any

import pytest
import torch
from torch import nn

from encoders.encoder import EncoderError
from encoders.networks.pooled import PooledNetwork
from encoders.networks.region_encoder import Backbone, RegionEncoder, backbone, region_encoder
from tests.encoders.networks.small_regions import SMALL_RESNET


def means() -> Backbone:
    """A backbone whose vector is each channel's mean."""
    return Backbone(PooledNetwork(nn.AdaptiveAvgPool2d(1), nn.Flatten()), 2)


def test_channels_belong_to_their_regions() -> None:
    encoder = RegionEncoder(means(), regions=3, channels=2, mlp=())
    levels = torch.arange(12.0).reshape(2, 6)
    found = encoder(levels[:, :, None, None].expand(2, 6, 4, 4))
    assert found.tolist() == [[[0, 1], [2, 3], [4, 5]], [[6, 7], [8, 9], [10, 11]]]


def test_memory_in_another_order_is_the_same_batch() -> None:
    encoder = RegionEncoder(means(), regions=3, channels=2, mlp=())
    crops = torch.randn(2, 6, 4, 5)
    last = crops.to(memory_format=torch.channels_last)
    torch.testing.assert_close(encoder(last), encoder(crops))


def test_the_perceptron_has_relu_between_its_layers_only() -> None:
    encoder = RegionEncoder(means(), regions=1, channels=2, mlp=(2, 1))
    inner, outer = encoder.mlp[0], encoder.mlp[2]
    assert isinstance(inner, nn.Linear)
    assert isinstance(outer, nn.Linear)
    assert len(encoder.mlp) == 3
    inner.weight.data, inner.bias.data = torch.tensor([[1.0, 0], [0, 1]]), torch.tensor([0.0, 0])
    outer.weight.data, outer.bias.data = torch.tensor([[1.0, 1.0]]), torch.tensor([-5.0])
    crops = torch.tensor([-3.0, 2.0])[None, :, None, None].expand(1, 2, 4, 4)
    assert encoder(crops).tolist() == [[[-3.0]]]  # max(-3, 0) + max(2, 0) - 5
    assert encoder.width == 1


def test_another_number_of_regions_is_refused() -> None:
    encoder = RegionEncoder(means(), regions=3, channels=2, mlp=())
    with pytest.raises(RuntimeError, match="3, 2"):
        encoder(torch.zeros(3, 4, 8, 8))  # as many numbers as two images of three regions


@pytest.mark.parametrize(
    ("name", "config", "width"),
    [
        ("resnet18", SMALL_RESNET, 16),
        ("resnet50", SMALL_RESNET, 64),
        ("densenet121", {"init_features": 8, "growth_rate": 4, "block_config": (1, 1)}, 10),
    ],
)
def test_backbones_tell_their_width(name: str, config: dict[str, Any], width: int) -> None:
    found = backbone(name, 3, config)
    assert found.width == width
    with torch.inference_mode():
        assert found.network.eval()(torch.zeros(2, 3, 64, 64)).shape == (2, width)


@pytest.mark.parametrize(
    ("name", "width"), [("resnet18", 512), ("resnet50", 2048), ("densenet121", 1024)]
)
def test_backbones_are_as_published_unless_told_otherwise(name: str, width: int) -> None:
    with torch.device("meta"):
        assert backbone(name, 1, {}).width == width


def test_what_cannot_be_built_is_told() -> None:
    with pytest.raises(EncoderError, match="no backbone 'vgg'; there are densenet121"):
        backbone("vgg", 1, {})
    config = {"in_channels": 1, "backbone": "resnet18"}
    with pytest.raises(EncoderError, match="0 regions of 1 channels"):
        region_encoder({**config, "regions": 0})
    with pytest.raises(EncoderError, match=r"mlp \(8, 0\)"):
        region_encoder({**config, "regions": 2, "mlp": (8, 0)})
