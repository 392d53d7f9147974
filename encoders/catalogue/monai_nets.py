"""Encoders on MONAI's own networks, with weights that the site brings."""

from encoders.declaration import Declaration, Names, OwnFile
from encoders.preprocessing import Preprocessing

_GRAY = Preprocessing(size=224, resize="longest side", eight_bits=False, mean=(0.5,), std=(0.25,))

CHEXPERT_MEAN, CHEXPERT_STD = 0.5056, 0.252
"""Of CheXpert's pixels, white being 1. Two pairs go round under this name; the other's deviation,
0.0349, is that of no radiographs' pixels: 124 of ours have 0.246 around 0.540."""

_TOLD = "; its metadata may tell size, channels, mean and std"

DENSENET121 = Declaration(
    name="monai-densenet121",
    summary="MONAI's DenseNet-121 with weights of your own",
    network="encoders.networks.monai_nets:densenet121",
    config={"in_channels": 1},
    source=OwnFile(
        f"a safetensors file with the names of MONAI's DenseNet121(spatial_dims=2){_TOLD}"
    ),
    preprocessing=_GRAY,
    pooling="mean after ReLU",
    dimension=1024,
    licence="that of your weights",
    names=Names(prefix="features."),
    reference="https://arxiv.org/abs/1608.06993",
)

RESNET50 = Declaration(
    name="monai-resnet50",
    summary="MONAI's ResNet-50 with weights of your own",
    network="encoders.networks.monai_nets:resnet50",
    config={"in_channels": 1, "layers": (3, 4, 6, 3), "planes": (64, 128, 256, 512)},
    source=OwnFile(
        "a safetensors file with the names of MONAI's resnet50(spatial_dims=2, conv1_t_stride=2), "
        f"which are torchvision's too; the names do not show a network of another stride{_TOLD}"
    ),
    preprocessing=_GRAY,
    pooling="mean",
    dimension=2048,
    licence="that of your weights",
    names=Names(ignored=("fc.",), rework="encoders.networks.monai_nets:with_downsample_bias"),
    reference="https://arxiv.org/abs/1512.03385, table 1",
)


def _vit(name: str, patch: int, pooling: str, preprocessing: Preprocessing) -> Declaration:
    """ViT-B: paper 1 does not say which size of transformer it took."""
    size, token = preprocessing.size, pooling == "class token"
    return Declaration(
        name=name,
        summary=f"MONAI's ViT-B/{patch} at {size} pixels, {pooling}, with weights of your own",
        network="encoders.networks.monai_nets:vit",
        config={
            "in_channels": preprocessing.channels,
            "img_size": size,
            "patch_size": patch,
            "hidden_size": 768,
            "mlp_dim": 3072,
            "num_layers": 12,
            "num_heads": 12,
        },
        source=OwnFile(
            f"a safetensors file with the names of MONAI's ViT(img_size={size}, "
            f"patch_size={patch}, spatial_dims=2, classification={token}){_TOLD}"
        ),
        preprocessing=preprocessing,
        pooling=pooling,
        dimension=768,
        licence="that of your weights",
        names=Names(
            ignored=("classification_head.",),
            rework="encoders.networks.monai_nets:without_cross_attention",
        ),
        reference="https://arxiv.org/abs/2010.11929, table 1",
    )


_PAPER_1 = Preprocessing(
    size=256, resize="square", eight_bits=False, mean=(CHEXPERT_MEAN,), std=(CHEXPERT_STD,)
)
"""Thakrar et al.: to 256 x 256. They name a crop to 224 as well, which does not go with patches
"from 256x256 images"; here there is none."""

DECLARATIONS = (
    DENSENET121,
    RESNET50,
    _vit("monai-vit-b32-256", 32, "class token", _PAPER_1),
    _vit("monai-vit-b32-256-mean", 32, "mean of patches", _PAPER_1),
    _vit("monai-vit-b16-224", 16, "class token", _GRAY),
)
