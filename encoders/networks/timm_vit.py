"""timm's vision transformer, built of MONAI's: the same arithmetic under other names."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from encoders.networks import monai_nets
from encoders.networks.pooled import PooledNetwork

NORM_EPSILON = 1e-6
"""Of timm's layer norms; MONAI's have torch's 1e-5."""


class ProjectedTower(nn.Module):
    """A vision transformer and a projection of its class token, named as open_clip names them."""

    def __init__(self, trunk: nn.Module, width: int, projected: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = nn.ModuleDict({"proj": nn.Linear(width, projected, bias=False)})

    def forward(self, batch: Tensor) -> Tensor:
        """Vectors, shape (images, projected)."""
        tokens: Tensor = self.trunk(batch)[0]
        vectors: Tensor = self.head["proj"](tokens[:, 0])
        return vectors


def projected(config: Mapping[str, Any], pooling: str) -> PooledNetwork:  # noqa: ARG001
    """A vision transformer up to the projection of its class token.

    Args:
        config: what ``monai.networks.nets.ViT`` takes, and ``projected``, the vectors' length.
        pooling: only "class token, projected".
    """
    rest = {name: value for name, value in config.items() if name != "projected"}
    trunk = monai_nets.vit({**rest, "qkv_bias": True}, "class token").body
    for module in trunk.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = NORM_EPSILON
    tower = ProjectedTower(trunk, config["hidden_size"], config["projected"])
    return PooledNetwork(tower, nn.Identity())


def with_token_position(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """timm adds a position to the class token too; MONAI's network has it in the token itself."""
    rest = dict(found)
    token, positions = rest.pop("trunk.cls_token", None), rest.pop("trunk.pos_embed", None)
    if token is None or positions is None:
        return dict(found)  # another network's file: the check of names will say so
    rest["trunk.cls_token"] = token + positions[:, :1]
    rest["trunk.patch_embedding.position_embeddings"] = positions[:, 1:]
    return rest
