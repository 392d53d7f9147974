"""Networks of regions small enough to be built in every test."""

from typing import Any

SMALL_RESNET = {"layers": (1, 1, 1, 1), "planes": (8, 8, 8, 16)}
SMALL: dict[str, Any] = {
    "in_channels": 1,
    "regions": 3,
    "backbone": "resnet18",
    "backbone_config": SMALL_RESNET,
    "mlp": (12, 8),
}
CHAIN = [[1, 1, 0], [1, 1, 1], [0, 1, 1]]
