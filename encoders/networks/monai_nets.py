"""Networks of MONAI (``monai.networks.nets``), two-dimensional."""

from collections.abc import Mapping
from typing import Any

import torch
from monai.networks.nets.densenet import DenseNet121
from monai.networks.nets.resnet import ResNet, ResNetBlock, ResNetBottleneck
from monai.networks.nets.vit import ViT
from torch import Tensor, nn
from torch.nn import functional

from encoders.networks.pooled import PooledNetwork

Tensors = Mapping[str, Tensor]


def densenet121(config: Mapping[str, Any], pooling: str) -> PooledNetwork:  # noqa: ARG001
    """DenseNet-121 before its classifier; tensors are named ``conv0.weight`` and so on.

    Args:
        config: ``in_channels``, and what else ``monai.networks.nets.DenseNet121`` takes.
        pooling: only "mean after ReLU": as its classifier would see it.
    """
    model = DenseNet121(spatial_dims=2, out_channels=1, **config)
    return PooledNetwork(model.features, mean_after_relu)


def resnet50(config: Mapping[str, Any], pooling: str) -> PooledNetwork:  # noqa: ARG001
    """ResNet-50 before its classifier; tensors are named ``layer1.0.conv1.weight`` and so on.

    The first convolution has stride 2, as in table 1 of the paper; MONAI's default is 1, for
    volumes.

    Args:
        config: ``in_channels``; ``layers`` and ``planes``, of the four stages.
        pooling: only "mean": the average that its classifier sees.
    """
    return resnet(ResNetBottleneck, config)


def resnet(
    block: type[ResNetBlock] | type[ResNetBottleneck], config: Mapping[str, Any]
) -> PooledNetwork:
    """A ResNet of these blocks before its classifier; ``config`` as of ``resnet50``."""
    model = ResNet(
        block,
        list(config["layers"]),
        list(config["planes"]),
        spatial_dims=2,
        n_input_channels=config["in_channels"],
        conv1_t_stride=2,
        feed_forward=False,
    )
    return PooledNetwork(model, nn.Identity())


def vit(config: Mapping[str, Any], pooling: str) -> PooledNetwork:
    """A vision transformer up to its last norm, before any head.

    Args:
        config: ``in_channels``, ``img_size``, ``patch_size``, and what else
            ``monai.networks.nets.ViT`` takes.
        pooling: "class token", or "mean of patches" for a network that has no such token.
    """
    token = pooling == "class token"
    model = ViT(spatial_dims=2, classification=token, **config)
    if token:
        del model.classification_head  # forward then returns the tokens themselves
    for block in model.blocks:
        block.norm_cross_attn = nn.Identity()  # newer versions make one that nothing uses
    return PooledNetwork(model, _class_token if token else _mean_of_patches)


def with_downsample_bias(found: Tensors) -> dict[str, Tensor]:
    """MONAI's ResNet has a bias beside each shortcut's convolution; files of others have none.

    Where it lacks it is 0, which is the same network.
    """
    ending = ".downsample.0.weight"
    biases = {
        name.removesuffix("weight") + "bias": torch.zeros(tensor.shape[0])
        for name, tensor in found.items()
        if name.endswith(ending)
    }
    return {**biases, **found}


def without_cross_attention(found: Tensors) -> dict[str, Tensor]:
    """Some versions of MONAI write a cross-attention that a vision transformer never uses."""
    unused = (".cross_attn.", ".norm_cross_attn.")
    return {name: tensor for name, tensor in found.items() if not any(u in name for u in unused)}


def mean_after_relu(found: Tensor) -> Tensor:
    """Features as DenseNet's classifier sees them, shape (images, features)."""
    return functional.relu(found).mean(dim=(2, 3))


def _class_token(found: tuple[Tensor, list[Tensor]]) -> Tensor:
    return found[0][:, 0]


def _mean_of_patches(found: tuple[Tensor, list[Tensor]]) -> Tensor:
    return found[0].mean(dim=1)
