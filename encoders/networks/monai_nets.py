"""Networks of MONAI (``monai.networks.nets``), two-dimensional."""

from collections.abc import Mapping
from typing import Any

from monai.networks.nets.densenet import DenseNet121
from torch import Tensor
from torch.nn import functional

from encoders.networks.pooled import PooledNetwork


def densenet121(config: Mapping[str, Any], pooling: str) -> PooledNetwork:  # noqa: ARG001
    """DenseNet-121 before its classifier; tensors are named ``conv0.weight`` and so on.

    Args:
        config: ``in_channels``, and what else ``monai.networks.nets.DenseNet121`` takes.
        pooling: only "mean after ReLU": as its classifier would see it.
    """
    model = DenseNet121(spatial_dims=2, out_channels=1, **config)
    return PooledNetwork(model.features, _mean_after_relu)


def _mean_after_relu(found: Tensor) -> Tensor:
    return functional.relu(found).mean(dim=(2, 3))
