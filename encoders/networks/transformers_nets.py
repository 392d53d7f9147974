"""Networks that the transformers library builds, of random weights; its hub is never asked.

Classes are imported from their own modules: the library's top level warns where torchvision is
not installed, and nothing here needs that.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from transformers.models.clip.configuration_clip import CLIPVisionConfig
from transformers.models.clip.modeling_clip import CLIPVisionModelWithProjection
from transformers.models.dinov2.configuration_dinov2 import Dinov2Config
from transformers.models.dinov2.modeling_dinov2 import Dinov2Model
from transformers.models.dinov3_vit.configuration_dinov3_vit import DINOv3ViTConfig
from transformers.models.dinov3_vit.modeling_dinov3_vit import DINOv3ViTModel
from transformers.models.resnet.configuration_resnet import ResNetConfig
from transformers.models.resnet.modeling_resnet import ResNetForImageClassification, ResNetModel
from transformers.models.sam.configuration_sam import SamVisionConfig
from transformers.models.sam.modeling_sam import SamVisionModel
from transformers.models.siglip.configuration_siglip import SiglipVisionConfig
from transformers.models.siglip.modeling_siglip import SiglipVisionModel
from transformers.models.swin.configuration_swin import SwinConfig
from transformers.models.swin.modeling_swin import SwinModel
from transformers.models.vit.configuration_vit import ViTConfig
from transformers.models.vit.modeling_vit import ViTModel

from encoders.networks.pooled import Pool, PooledNetwork

_POOLS: dict[str, Pool] = {
    "CLS": lambda found: found.last_hidden_state[:, 0],
    "mean of tokens, projected": lambda found: found.pooler_output,
    "attention head": lambda found: found.pooler_output,
    "image_embeds": lambda found: found.image_embeds,
    "mean of the neck's map": lambda found: found.last_hidden_state.mean(dim=(2, 3)),
    "mean of the last map": lambda found: found.pooler_output.flatten(1),
    "logits": lambda found: found.logits,
    "probabilities": lambda found: found.logits.softmax(dim=1),
}


class Projected(nn.Module):
    """A network, its pooling, and a linear layer without bias; answers (images, dimension)."""

    def __init__(self, model: nn.Module, pool: Pool, projection: nn.Linear) -> None:
        super().__init__()
        self.model = model
        self.projection_head = projection
        self._pool = pool

    def forward(self, batch: Tensor) -> Tensor:
        """Vectors, shape (images, dimension), of whatever length."""
        projected: Tensor = self.projection_head(self._pool(self.model(batch)))
        return projected


def vit(config: Mapping[str, Any], pooling: str) -> PooledNetwork:
    """A vision transformer without its pooler; MAE's encoder is one too.

    MAE's own class always shuffles the patches by noise, also where it masks none; the same
    tensors in this class give the same vectors without, and the same ones each time.

    Args:
        config: what ``ViTConfig`` takes.
        pooling: "CLS", the first token after the last layer norm.
    """
    model = ViTModel(ViTConfig(**_as_named(config)), add_pooling_layer=False)
    return PooledNetwork(model, _POOLS[pooling])


def projected_swin(config: Mapping[str, Any], pooling: str) -> PooledNetwork:
    """A Swin transformer whose mean token is projected to ``projection_dim``, as MedCLIP's.

    Args:
        config: what ``SwinConfig`` takes, and ``projection_dim``.
        pooling: "mean of tokens, projected".
    """
    known = _as_named(config)
    dimension = known.pop("projection_dim")
    made = SwinConfig(**known)
    projection = nn.Linear(made.hidden_size, dimension, bias=False)
    return PooledNetwork(Projected(SwinModel(made), _POOLS[pooling], projection), _as_it_is)


def clip(config: Mapping[str, Any], pooling: str) -> PooledNetwork:
    """CLIP's vision tower with its projection into the space that images and texts share.

    Args:
        config: what ``CLIPVisionConfig`` takes.
        pooling: "image_embeds", the projected CLS token.
    """
    model = CLIPVisionModelWithProjection(CLIPVisionConfig(**_as_named(config)))
    return PooledNetwork(model, _POOLS[pooling])


def siglip(config: Mapping[str, Any], pooling: str) -> PooledNetwork:
    """SigLIP's vision tower; its attention head pools into the space shared with texts.

    Args:
        config: what ``SiglipVisionConfig`` takes.
        pooling: "attention head".
    """
    return PooledNetwork(
        SiglipVisionModel(SiglipVisionConfig(**_as_named(config))), _POOLS[pooling]
    )


def dinov2(config: Mapping[str, Any], pooling: str) -> PooledNetwork:
    """DINOv2, and RAD-DINO; position embeddings follow the size of the input.

    Args:
        config: what ``Dinov2Config`` takes.
        pooling: "CLS", after the last layer norm.
    """
    return PooledNetwork(Dinov2Model(Dinov2Config(**_as_named(config))), _POOLS[pooling])


def dinov3(config: Mapping[str, Any], pooling: str) -> PooledNetwork:
    """DINOv3's vision transformer.

    Args:
        config: what ``DINOv3ViTConfig`` takes.
        pooling: "CLS", after the last layer norm.
    """
    return PooledNetwork(DINOv3ViTModel(DINOv3ViTConfig(**_as_named(config))), _POOLS[pooling])


def sam(config: Mapping[str, Any], pooling: str) -> PooledNetwork:
    """The image encoder of SAM and of MedSAM.

    Args:
        config: what ``SamVisionConfig`` takes.
        pooling: "mean of the neck's map", over its rows and columns.
    """
    model = SamVisionModel(SamVisionConfig(**_as_named(config)))
    return PooledNetwork(model.vision_encoder, _POOLS[pooling])


def resnet(config: Mapping[str, Any], pooling: str) -> PooledNetwork:
    """A ResNet, with its classifier where the pooling is of classes.

    Args:
        config: what ``ResNetConfig`` takes.
        pooling: "mean of the last map", "logits" or "probabilities".
    """
    made = ResNetConfig(**_as_named(config))
    classes = pooling in {"logits", "probabilities"}
    model = ResNetForImageClassification(made) if classes else ResNetModel(made)
    return PooledNetwork(model, _POOLS[pooling])


def without_position_index(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the table that each Swin window computes for itself, and old files hold too."""
    return {
        name: tensor
        for name, tensor in tensors.items()
        if not name.endswith("relative_position_index")
    }


def _as_named(config: Mapping[str, Any]) -> dict[str, Any]:
    """The library's word for the input's channels, where a file of the site's told of them."""
    return {"num_channels" if key == "in_channels" else key: value for key, value in config.items()}


def _as_it_is(found: Tensor) -> Tensor:
    return found
