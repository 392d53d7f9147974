"""Full-size networks, without memory for weights: parameters as published, names as mapped."""

import pytest
import torch
from torch import nn

from encoders.registry import find
from encoders.torch_encoder import build
from encoders.weights import renamed


def body_of(name: str) -> nn.Module:
    with torch.device("meta"):
        return build(find(name)).body


def parameters(name: str) -> int:
    return sum(tensor.numel() for tensor in body_of(name).parameters())


# torchvision's documentation gives 25,557,032 for ResNet-50, 86,567,656 for ViT-B/16 and 88,224,232
# for ViT-B/32, with 1000 classes and three channels; torchxrayvision's table of models 6,966,034
# and 23,538,642, with 18 classes and one channel
HEAD_OF_768, HEAD_OF_2048 = 769_000, 2_049_000
SHORTCUT_BIASES = 256 + 512 + 1024 + 2048  # MONAI's, beside torchvision's network
QKV_BIASES = 12 * 3 * 768  # MONAI's transformer has none by default


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("monai-densenet121", 6_966_034 - 18 * 1025),
        ("xrv-densenet121-all", 6_966_034 - 18 * 1025),
        ("xrv-resnet50-all", 23_538_642 - 18 * 2049 + SHORTCUT_BIASES),
        ("monai-resnet50", 25_557_032 - HEAD_OF_2048 - 2 * 64 * 49 + SHORTCUT_BIASES),
        # one channel of three, and no position for the class token
        ("monai-vit-b16-224", 86_567_656 - HEAD_OF_768 - QKV_BIASES - 2 * 256 * 768 - 768),
        # also 64 patches instead of 49
        ("monai-vit-b32-256", 88_224_232 - HEAD_OF_768 - QKV_BIASES - 2 * 1024 * 768 + 14 * 768),
        ("biomedclip", 86_567_656 - HEAD_OF_768 - 768 + 768 * 512),
    ],
)
def test_parameters_are_as_many_as_published(name: str, expected: int) -> None:
    assert parameters(name) == expected


# published names and shapes, written by hand from the networks' papers and listings
XRV = {
    "features.conv0.weight": (64, 1, 7, 7),
    "features.norm0.running_var": (64,),
    "features.denseblock1.denselayer1.norm1.weight": (64,),
    "features.denseblock1.denselayer1.conv1.weight": (128, 64, 1, 1),
    "features.denseblock1.denselayer6.norm2.bias": (128,),
    "features.denseblock1.denselayer6.conv2.weight": (32, 128, 3, 3),
    "features.transition1.norm.running_mean": (256,),
    "features.transition1.conv.weight": (128, 256, 1, 1),
    "features.denseblock3.denselayer24.norm1.bias": (256 + 23 * 32,),
    "features.denseblock4.denselayer16.conv1.weight": (128, 512 + 15 * 32, 1, 1),
    "features.norm5.weight": (1024,),
}
RESNET = {
    "conv1.weight": (64, 1, 7, 7),
    "bn1.running_mean": (64,),
    "layer1.0.conv1.weight": (64, 64, 1, 1),
    "layer1.0.downsample.0.weight": (256, 64, 1, 1),
    "layer1.0.downsample.1.bias": (256,),
    "layer2.3.conv2.weight": (128, 128, 3, 3),
    "layer3.5.bn3.weight": (1024,),
    "layer4.2.conv3.weight": (2048, 512, 1, 1),
}
VIT_32 = {
    "cls_token": (1, 1, 768),
    "patch_embedding.position_embeddings": (1, 64, 768),
    "patch_embedding.patch_embeddings.weight": (768, 1, 32, 32),
    "blocks.0.attn.qkv.weight": (2304, 768),
    "blocks.11.attn.out_proj.bias": (768,),
    "blocks.11.mlp.linear1.weight": (3072, 768),
    "norm.weight": (768,),
}
BIOMEDCLIP = {
    "visual.trunk.cls_token": (1, 1, 768),
    "visual.trunk.pos_embed": (1, 197, 768),
    "visual.trunk.patch_embed.proj.weight": (768, 3, 16, 16),
    "visual.trunk.blocks.0.norm1.weight": (768,),
    "visual.trunk.blocks.0.attn.qkv.bias": (2304,),
    "visual.trunk.blocks.11.attn.proj.weight": (768, 768),
    "visual.trunk.blocks.11.mlp.fc1.weight": (3072, 768),
    "visual.trunk.blocks.11.mlp.fc2.weight": (768, 3072),
    "visual.trunk.norm.bias": (768,),
    "visual.head.proj.weight": (512, 768),
}


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("xrv-densenet121-all", XRV),
        ("xrv-densenet121-mimic_nb", XRV),
        ("monai-resnet50", RESNET),
        ("xrv-resnet50-all", {f"model.{name}": shape for name, shape in RESNET.items()}),
        ("monai-vit-b32-256", VIT_32),
        ("biomedclip", BIOMEDCLIP),
    ],
)
def test_published_names_become_the_networks(
    name: str, published: dict[str, tuple[int, ...]]
) -> None:
    declared = {at: tensor.shape for at, tensor in body_of(name).state_dict().items()}
    tensors = {at: torch.empty(shape, device="meta") for at, shape in published.items()}
    found = renamed(tensors, find(name).names)
    assert len(found) >= len(published)
    assert {at: tensor.shape for at, tensor in found.items()}.items() <= declared.items()
