"""Encoders: networks of the transformers library that were trained on photographs.

Each one's preprocessing is its authors': what ``preprocessor_config.json`` of the repository says.
"""

from dataclasses import replace
from typing import Any

from encoders.catalogue import transformers_names as names
from encoders.declaration import Declaration, Hub
from encoders.preprocessing import (
    CLIP_MEAN,
    CLIP_STD,
    HALF,
    IMAGENET_MEAN,
    IMAGENET_STD,
    Preprocessing,
)

NETS = "encoders.networks.transformers_nets"
PACKAGES = {"transformers": "likeness-node[transformers]"}

VIT_B_16: dict[str, Any] = {
    "image_size": 224,
    "patch_size": 16,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
}
DINOV2_B_14: dict[str, Any] = {
    "image_size": 518,
    "patch_size": 14,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "mlp_ratio": 4,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-6,
}
SIGLIP_SO400M_14: dict[str, Any] = {
    "image_size": 384,
    "patch_size": 14,
    "hidden_size": 1152,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "intermediate_size": 4304,
    "hidden_act": "gelu_pytorch_tanh",
    "layer_norm_eps": 1e-6,
}
SAM_B_16: dict[str, Any] = {
    "image_size": 1024,
    "patch_size": 16,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "output_channels": 256,
    "mlp_dim": 3072,
    "window_size": 14,
    "global_attn_indexes": (2, 5, 8, 11),
    "layer_norm_eps": 1e-6,
}

SHORTEST_TO_224 = Preprocessing(
    size=224, resize="shortest side", filter="bicubic", mean=CLIP_MEAN, std=CLIP_STD
)
SAM_INPUT = Preprocessing(
    size=1024,
    resize="longest side",
    filter="bilinear",
    fill="corner",
    fill_last=True,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
)
_FROM_256 = Preprocessing(
    size=224,
    resize="shortest side",
    resize_to=256,
    filter="bicubic",
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
)
_SQUARE_224 = Preprocessing(
    size=224, resize="square", filter="bilinear", mean=IMAGENET_MEAN, std=IMAGENET_STD
)

VIT = Declaration(
    name="vit-base-16-in21k",
    summary="ViT-B/16 of ImageNet-21k, CLS token; its file holds no classifier",
    network=f"{NETS}:vit",
    config=VIT_B_16,
    source=Hub("google/vit-base-patch16-224-in21k"),
    preprocessing=replace(_SQUARE_224, mean=HALF, std=HALF),
    pooling="CLS",
    dimension=768,
    licence="Apache-2.0",
    packages=PACKAGES,
    names=names.OF_VIT,
    reference="https://arxiv.org/abs/2010.11929",
)

MAE = Declaration(
    name="mae-base",
    summary="MAE ViT-B/16 with masking off, CLS token (published retrieval code left 75 % masked)",
    network=f"{NETS}:vit",
    config=VIT_B_16,
    source=Hub("facebook/vit-mae-base", file="pytorch_model.bin"),
    preprocessing=_SQUARE_224,
    pooling="CLS",
    dimension=768,
    licence="Apache-2.0 on the hub, CC-BY-NC-4.0 in the authors' repository",
    packages=PACKAGES,
    names=names.OF_MAE,
    reference="https://arxiv.org/abs/2111.06377",
)

RESNET = Declaration(
    name="resnet-50",
    summary="ResNet-50 of ImageNet-1k, mean of the last map",
    network=f"{NETS}:resnet",
    config={
        "embedding_size": 64,
        "hidden_sizes": (256, 512, 1024, 2048),
        "depths": (3, 4, 6, 3),
        "layer_type": "bottleneck",
        "num_labels": 1000,
    },
    source=Hub("microsoft/resnet-50"),
    preprocessing=_FROM_256,
    pooling="mean of the last map",
    dimension=2048,
    licence="Apache-2.0",
    packages=PACKAGES,
    names=names.OF_RESNET,
    reference="https://arxiv.org/abs/1512.03385",
)
RESNET_LOGITS = replace(
    RESNET,
    name="resnet-50-logits",
    summary="ResNet-50, its 1,000 classes before the softmax, as Denner et al. published in code",
    pooling="logits",
    dimension=1000,
    names=names.OF_RESNET_WITH_CLASSES,
)
RESNET_PROBABILITIES = replace(
    RESNET_LOGITS,
    name="resnet-50-probabilities",
    summary="ResNet-50, probabilities of its 1,000 classes, as Denner et al. wrote in the paper",
    pooling="probabilities",
)

CLIP = Declaration(
    name="clip-vit-l-14",
    summary="CLIP ViT-L/14 of OpenAI, projected CLS token",
    network=f"{NETS}:clip",
    config={
        "image_size": 224,
        "patch_size": 14,
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "projection_dim": 768,
        "hidden_act": "quick_gelu",
        "layer_norm_eps": 1e-5,
    },
    source=Hub("openai/clip-vit-large-patch14"),
    preprocessing=SHORTEST_TO_224,
    pooling="image_embeds",
    dimension=768,
    licence="MIT",
    packages=PACKAGES,
    names=names.OF_CLIP,
    reference="https://arxiv.org/abs/2103.00020",
)

DINOV2 = Declaration(
    name="dinov2-base",
    summary="DINOv2 ViT-B/14, CLS token",
    network=f"{NETS}:dinov2",
    config=DINOV2_B_14,
    source=Hub("facebook/dinov2-base"),
    preprocessing=_FROM_256,
    pooling="CLS",
    dimension=768,
    licence="Apache-2.0",
    packages=PACKAGES,
    names=names.OF_DINOV2,
    reference="https://arxiv.org/abs/2304.07193",
)
DINOV2_SMALL = replace(
    DINOV2,
    name="dinov2-small",
    summary="DINOv2 ViT-S/14, CLS token",
    config={**DINOV2_B_14, "hidden_size": 384, "num_attention_heads": 6},
    source=Hub("facebook/dinov2-small"),
    dimension=384,
)
DINOV2_LARGE = replace(
    DINOV2,
    name="dinov2-large",
    summary="DINOv2 ViT-L/14, CLS token",
    config={
        **DINOV2_B_14,
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
    },
    source=Hub("facebook/dinov2-large"),
    dimension=1024,
)

DINOV3 = Declaration(
    name="dinov3-base",
    summary="DINOv3 ViT-B/16, CLS token",
    network=f"{NETS}:dinov3",
    config={
        "image_size": 224,
        "patch_size": 16,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "num_register_tokens": 4,
        "rope_theta": 100.0,
        "key_bias": False,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
    },
    source=Hub("facebook/dinov3-vitb16-pretrain-lvd1689m", gated=True),
    preprocessing=replace(_SQUARE_224, eight_bits=False),
    pooling="CLS",
    dimension=768,
    licence="DINOv3 License",
    packages=PACKAGES,
    names=names.OF_DINOV3,
    reference="https://arxiv.org/abs/2508.10104",
)
DINOV3_SMALL = replace(
    DINOV3,
    name="dinov3-small",
    summary="DINOv3 ViT-S/16, CLS token",
    config={
        **DINOV3.config,
        "hidden_size": 384,
        "num_attention_heads": 6,
        "intermediate_size": 1536,
    },
    source=Hub("facebook/dinov3-vits16-pretrain-lvd1689m", gated=True),
    dimension=384,
)
DINOV3_LARGE = replace(
    DINOV3,
    name="dinov3-large",
    summary="DINOv3 ViT-L/16, CLS token",
    config={
        **DINOV3.config,
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
    },
    source=Hub("facebook/dinov3-vitl16-pretrain-lvd1689m", gated=True),
    dimension=1024,
)

SAM = Declaration(
    name="sam-vit-b",
    summary="image encoder of SAM ViT-B, mean of the neck's map",
    network=f"{NETS}:sam",
    config=SAM_B_16,
    source=Hub("facebook/sam-vit-base"),
    preprocessing=SAM_INPUT,
    pooling="mean of the neck's map",
    dimension=256,
    licence="Apache-2.0",
    packages=PACKAGES,
    names=names.OF_SAM,
    reference="https://arxiv.org/abs/2304.02643",
)

SIGLIP = Declaration(
    name="siglip-base",
    summary="SigLIP ViT-B/16 at 224, attention head",
    network=f"{NETS}:siglip",
    config={**VIT_B_16, "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6},
    source=Hub("google/siglip-base-patch16-224"),
    preprocessing=Preprocessing(size=224, resize="square", filter="bicubic", mean=HALF, std=HALF),
    pooling="attention head",
    dimension=768,
    licence="Apache-2.0",
    packages=PACKAGES,
    names=names.OF_SIGLIP,
    reference="https://arxiv.org/abs/2303.15343",
)
SIGLIP_SO400M = replace(
    SIGLIP,
    name="siglip-so400m",
    summary="SigLIP SoViT-400m/14 at 384, attention head",
    config=SIGLIP_SO400M_14,
    source=Hub("google/siglip-so400m-patch14-384"),
    preprocessing=Preprocessing(size=384, resize="square", filter="bicubic", mean=HALF, std=HALF),
    dimension=1152,
)

DECLARATIONS = (
    VIT,
    MAE,
    RESNET,
    RESNET_LOGITS,
    RESNET_PROBABILITIES,
    CLIP,
    DINOV2,
    DINOV2_SMALL,
    DINOV2_LARGE,
    DINOV3,
    DINOV3_SMALL,
    DINOV3_LARGE,
    SAM,
    SIGLIP,
    SIGLIP_SO400M,
)
