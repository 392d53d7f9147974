"""Networks as their authors publish them: names and shapes by rule, arithmetic by plain functions.

Independent of the libraries that Likeness builds networks with.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

Tensors = dict[str, Tensor]


def drawn(shapes: Mapping[str, tuple[int, ...]], seed: int = 3) -> Tensors:
    """Random tensors; variances are positive, as those of a normalisation must be."""
    made = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(shape, generator=made) + 0.5
        if name.endswith(("running_var", "norm1.weight", "norm2.weight", "norm.weight"))
        else torch.randn(shape, generator=made) / max(1, sum(shape[1:])) ** 0.5
        for name, shape in shapes.items()
    }


def _norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (channels,) for part in parts}


def densenet_shapes(start: int, growth: int, blocks: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """torchvision's DenseNet before its classifier, one channel, bottlenecks of 4 growths."""
    found = {"features.conv0.weight": (start, 1, 7, 7), **_norm("features.norm0", start)}
    channels = start
    for block, layers in enumerate(blocks, 1):
        for layer in range(1, layers + 1):
            at = f"features.denseblock{block}.denselayer{layer}"
            found |= _norm(f"{at}.norm1", channels) | _norm(f"{at}.norm2", 4 * growth)
            found[f"{at}.conv1.weight"] = (4 * growth, channels, 1, 1)
            found[f"{at}.conv2.weight"] = (growth, 4 * growth, 3, 3)
            channels += growth
        if block < len(blocks):
            at = f"features.transition{block}"
            found |= _norm(f"{at}.norm", channels)
            found[f"{at}.conv.weight"] = (channels // 2, channels, 1, 1)
            channels //= 2
    return found | _norm("features.norm5", channels)


def densenet(at: Tensors, x: Tensor, blocks: tuple[int, ...]) -> Tensor:
    """Its forward pass up to the mean of the last map after ReLU (Huang et al., 2017)."""

    def normed(name: str, y: Tensor) -> Tensor:
        parts = ("running_mean", "running_var", "weight", "bias")
        mean, variance, weight, bias = (at[f"features.{name}.{part}"] for part in parts)
        return functional.batch_norm(y, mean, variance, weight, bias).relu()

    def conv(name: str, y: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        weight = at[f"features.{name}.weight"]
        return functional.conv2d(y, weight, stride=stride, padding=padding)

    x = functional.max_pool2d(normed("norm0", conv("conv0", x, 2, 3)), 3, 2, 1)
    for block, layers in enumerate(blocks, 1):
        for layer in range(1, layers + 1):
            inside = f"denseblock{block}.denselayer{layer}"
            y = conv(f"{inside}.conv1", normed(f"{inside}.norm1", x))
            x = torch.cat([x, conv(f"{inside}.conv2", normed(f"{inside}.norm2", y), 1, 1)], 1)
        if block < len(blocks):
            y = conv(f"transition{block}.conv", normed(f"transition{block}.norm", x))
            x = functional.avg_pool2d(y, 2)
    return normed("norm5", x).mean(dim=(2, 3))


def timm_vit_shapes(
    width: int, layers: int, patches: int, projected: int
) -> dict[str, tuple[int, ...]]:
    """open_clip's tower over timm's ViT with patches of 16 x 16 pixels."""
    found: dict[str, tuple[int, ...]] = {
        "visual.trunk.cls_token": (1, 1, width),
        "visual.trunk.pos_embed": (1, patches + 1, width),
        "visual.trunk.patch_embed.proj.weight": (width, 3, 16, 16),
        "visual.trunk.patch_embed.proj.bias": (width,),
        "visual.trunk.norm.weight": (width,),
        "visual.trunk.norm.bias": (width,),
        "visual.head.proj.weight": (projected, width),
    }
    for layer in range(layers):
        for part, (to, of) in {
            "attn.qkv": (3 * width, width),
            "attn.proj": (width, width),
            "mlp.fc1": (2 * width, width),
            "mlp.fc2": (width, 2 * width),
        }.items():
            found[f"visual.trunk.blocks.{layer}.{part}.weight"] = (to, of)
            found[f"visual.trunk.blocks.{layer}.{part}.bias"] = (to,)
        for norm in ("norm1", "norm2"):
            found[f"visual.trunk.blocks.{layer}.{norm}.weight"] = (width,)
            found[f"visual.trunk.blocks.{layer}.{norm}.bias"] = (width,)
    return found


def timm_vit(at: Tensors, x: Tensor, layers: int, heads: int) -> Tensor:
    """Its forward pass (Dosovitskiy et al., 2021): norm first, exact GELU, epsilon 1e-6."""

    def part(name: str) -> tuple[Tensor, Tensor]:
        return at[f"visual.trunk.{name}.weight"], at[f"visual.trunk.{name}.bias"]

    def normed(name: str, y: Tensor) -> Tensor:
        return functional.layer_norm(y, y.shape[-1:], *part(name), eps=1e-6)

    patches = functional.conv2d(x, *part("patch_embed.proj"), stride=16).flatten(2).mT
    token = at["visual.trunk.cls_token"].expand(len(x), -1, -1)
    x = torch.cat([token, patches], 1) + at["visual.trunk.pos_embed"]
    for layer in range(layers):
        block = f"blocks.{layer}"
        joint = functional.linear(normed(f"{block}.norm1", x), *part(f"{block}.attn.qkv"))
        q, k, v = joint.reshape(*joint.shape[:2], 3, heads, -1).permute(2, 0, 3, 1, 4)
        seen = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v
        x = x + functional.linear(seen.transpose(1, 2).flatten(2), *part(f"{block}.attn.proj"))
        inner = functional.linear(normed(f"{block}.norm2", x), *part(f"{block}.mlp.fc1"))
        x = x + functional.linear(functional.gelu(inner), *part(f"{block}.mlp.fc2"))
    return functional.linear(normed("norm", x)[:, 0], at["visual.head.proj.weight"])
