"""Names and shapes of tensors as the authors' files have them, written out by hand.

Sources: state dicts of transformers before its layers were renamed (ViT, MAE, DINOv2, Swin), as
published on the hub (DINOv3, CLIP, SigLIP, SAM, ResNet), and of the authors' own code (MedSAM:
segment_anything's ``image_encoder``; MedCLIP: ``vision_model``). What a file holds besides, such as
a text tower, stands here by some of its names.
"""

from collections.abc import Callable, Mapping
from typing import Any

Shapes = dict[str, tuple[int, ...]]
Config = Mapping[str, Any]


def published(network: str, name: str, config: Config) -> Shapes:
    """What the published file of an encoder holds, for a network of that configuration."""
    special = {"mae-base": mae, "medsam": medsam, "medsam-sam-input": medsam}
    return special.get(name, _BY_NETWORK[network.split(":")[1]])(config)


def _linear(name: str, rows: int, columns: int) -> Shapes:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _patches(name: str, config: Config) -> Shapes:
    width, side = config.get("embed_dim") or config["hidden_size"], config["patch_size"]
    return {f"{name}.weight": (width, 3, side, side), f"{name}.bias": (width,)}


def _under(prefix: str, shapes: Shapes) -> Shapes:
    return {prefix + name: shape for name, shape in shapes.items()}


def vit(config: Config) -> Shapes:
    """google/vit-base-patch16-224-in21k, a ViTModel with its pooler."""
    return {
        **_vit_encoder(config),
        **_linear("pooler.dense", config["hidden_size"], config["hidden_size"]),
    }


def mae(config: Config) -> Shapes:
    """facebook/vit-mae-base, a ViTMAEForPreTraining."""
    width = config["hidden_size"]
    return {
        **_under("vit.", _vit_encoder(config)),
        "decoder.mask_token": (1, 1, 512),
        **_linear("decoder.decoder_embed", 512, width),
        **_norm("decoder.decoder_norm", 512),
    }


def _vit_encoder(config: Config) -> Shapes:
    width, inner = config["hidden_size"], config["intermediate_size"]
    tokens = (config["image_size"] // config["patch_size"]) ** 2 + 1
    found: Shapes = {
        "embeddings.cls_token": (1, 1, width),
        "embeddings.position_embeddings": (1, tokens, width),
        **_patches("embeddings.patch_embeddings.projection", config),
        **_norm("layernorm", width),
    }
    for at in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{at}"
        for part in ("query", "key", "value"):
            found |= _linear(f"{layer}.attention.attention.{part}", width, width)
        found |= _linear(f"{layer}.attention.output.dense", width, width)
        found |= _linear(f"{layer}.intermediate.dense", inner, width)
        found |= _linear(f"{layer}.output.dense", width, inner)
        found |= _norm(f"{layer}.layernorm_before", width)
        found |= _norm(f"{layer}.layernorm_after", width)
    return found


def dinov2(config: Config) -> Shapes:
    """facebook/dinov2-*, microsoft/rad-dino: a Dinov2Model."""
    width = config["hidden_size"]
    tokens = (config["image_size"] // config["patch_size"]) ** 2 + 1
    found: Shapes = {
        "embeddings.cls_token": (1, 1, width),
        "embeddings.mask_token": (1, width),
        "embeddings.position_embeddings": (1, tokens, width),
        **_patches("embeddings.patch_embeddings.projection", config),
        **_norm("layernorm", width),
    }
    for at in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{at}"
        for part in ("query", "key", "value"):
            found |= _linear(f"{layer}.attention.attention.{part}", width, width)
        found |= _linear(f"{layer}.attention.output.dense", width, width)
        found |= _linear(f"{layer}.mlp.fc1", 4 * width, width)
        found |= _linear(f"{layer}.mlp.fc2", width, 4 * width)
        for half in ("1", "2"):
            found |= _norm(f"{layer}.norm{half}", width)
            found[f"{layer}.layer_scale{half}.lambda1"] = (width,)
    return found


def dinov3(config: Config) -> Shapes:
    """facebook/dinov3-vit*-pretrain-lvd1689m: a DINOv3ViTModel; keys have no bias."""
    width, inner = config["hidden_size"], config["intermediate_size"]
    found: Shapes = {
        "embeddings.cls_token": (1, 1, width),
        "embeddings.mask_token": (1, 1, width),
        "embeddings.register_tokens": (1, 4, width),
        **_patches("embeddings.patch_embeddings", config),
        **_norm("norm", width),
    }
    for at in range(config["num_hidden_layers"]):
        layer = f"layer.{at}"
        for part in ("q_proj", "v_proj", "o_proj"):
            found |= _linear(f"{layer}.attention.{part}", width, width)
        found[f"{layer}.attention.k_proj.weight"] = (width, width)
        found |= _linear(f"{layer}.mlp.up_proj", inner, width)
        found |= _linear(f"{layer}.mlp.down_proj", width, inner)
        for half in ("1", "2"):
            found |= _norm(f"{layer}.norm{half}", width)
            found[f"{layer}.layer_scale{half}.lambda1"] = (width,)
    return found


def clip(config: Config) -> Shapes:
    """openai/clip-vit-large-patch14: a CLIPModel, both towers."""
    width = config["hidden_size"]
    tokens = (config["image_size"] // config["patch_size"]) ** 2 + 1
    embeddings = "vision_model.embeddings"
    return {
        "logit_scale": (),
        "text_model.embeddings.token_embedding.weight": (49408, 768),
        "text_projection.weight": (768, 768),
        "visual_projection.weight": (config["projection_dim"], width),
        f"{embeddings}.class_embedding": (width,),
        f"{embeddings}.patch_embedding.weight": (width, 3, *(config["patch_size"],) * 2),
        f"{embeddings}.position_embedding.weight": (tokens, width),
        f"{embeddings}.position_ids": (1, tokens),
        **_norm("vision_model.pre_layrnorm", width),  # so it is spelled
        **_norm("vision_model.post_layernorm", width),
        **_under("vision_model.", _clip_layers(config)),
    }


def _clip_layers(config: Config) -> Shapes:
    width, inner = config["hidden_size"], config["intermediate_size"]
    found: Shapes = {}
    for at in range(config["num_hidden_layers"]):
        layer = f"encoder.layers.{at}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            found |= _linear(f"{layer}.self_attn.{part}", width, width)
        found |= _linear(f"{layer}.mlp.fc1", inner, width)
        found |= _linear(f"{layer}.mlp.fc2", width, inner)
        found |= _norm(f"{layer}.layer_norm1", width)
        found |= _norm(f"{layer}.layer_norm2", width)
    return found


def siglip(config: Config) -> Shapes:
    """google/siglip-*, google/medsiglip-448: a SiglipModel, both towers."""
    width, inner = config["hidden_size"], config["intermediate_size"]
    tokens = (config["image_size"] // config["patch_size"]) ** 2
    tower: Shapes = {
        **_patches("embeddings.patch_embedding", config),
        "embeddings.position_embedding.weight": (tokens, width),
        **_norm("post_layernorm", width),
        **_clip_layers(config),
        "head.probe": (1, 1, width),
        "head.attention.in_proj_weight": (3 * width, width),
        "head.attention.in_proj_bias": (3 * width,),
        **_linear("head.attention.out_proj", width, width),
        **_norm("head.layernorm", width),
        **_linear("head.mlp.fc1", inner, width),
        **_linear("head.mlp.fc2", width, inner),
    }
    text: Shapes = {"logit_scale": (1,), "logit_bias": (1,), **_norm("text_model.final", width)}
    return {**text, **_under("vision_model.", tower)}


def _sam_encoder(config: Config, words: Mapping[str, str]) -> Shapes:
    width, out = config["hidden_size"], config["output_channels"]
    grid = config["image_size"] // config["patch_size"]
    found: Shapes = {
        "pos_embed": (1, grid, grid, width),
        **_patches(f"patch_embed.{words['projection']}", config),
        f"neck.{words['conv1']}.weight": (out, width, 1, 1),
        **_norm(f"neck.{words['layer_norm1']}", out),
        f"neck.{words['conv2']}.weight": (out, out, 3, 3),
        **_norm(f"neck.{words['layer_norm2']}", out),
    }
    for at in range(config["num_hidden_layers"]):
        layer = f"{words['layers']}.{at}"
        side = grid if at in config["global_attn_indexes"] else config["window_size"]
        for axis in ("h", "w"):
            found[f"{layer}.attn.rel_pos_{axis}"] = (
                2 * side - 1,
                width // config["num_attention_heads"],
            )
        found |= _linear(f"{layer}.attn.qkv", 3 * width, width)
        found |= _linear(f"{layer}.attn.proj", width, width)
        found |= _norm(f"{layer}.{words['norm']}1", width)
        found |= _norm(f"{layer}.{words['norm']}2", width)
        found |= _linear(f"{layer}.mlp.lin1", config["mlp_dim"], width)
        found |= _linear(f"{layer}.mlp.lin2", width, config["mlp_dim"])
    return found


def sam(config: Config) -> Shapes:
    """facebook/sam-vit-base: a SamModel."""
    words = {word: word for word in ("projection", "conv1", "conv2", "layer_norm1", "layer_norm2")}
    words |= {"layers": "layers", "norm": "layer_norm"}
    return {
        **_under("vision_encoder.", _sam_encoder(config, words)),
        "shared_image_embedding.positional_embedding": (2, 128),
        "prompt_encoder.no_mask_embed.weight": (1, 256),
        "mask_decoder.iou_token.weight": (1, 256),
    }


def medsam(config: Config) -> Shapes:
    """medsam_vit_b.pth: a Sam of segment_anything, whose neck is an unnamed sequence."""
    words = {"projection": "proj", "layers": "blocks", "norm": "norm"}
    words |= {"conv1": "0", "layer_norm1": "1", "conv2": "2", "layer_norm2": "3"}
    return {
        **_under("image_encoder.", _sam_encoder(config, words)),
        "prompt_encoder.no_mask_embed.weight": (1, 256),
        "mask_decoder.iou_token.weight": (1, 256),
    }


def medclip(config: Config) -> Shapes:
    """MedCLIP's pytorch_model.bin: a MedCLIPModel over a SwinModel."""
    window, width = config["window_size"], config["embed_dim"]
    found: Shapes = {
        **_patches("embeddings.patch_embeddings.projection", config),
        **_norm("embeddings.norm", width),
        **_norm("layernorm", width * 2 ** (len(config["depths"]) - 1)),
    }
    for stage, (depth, heads) in enumerate(zip(config["depths"], config["num_heads"], strict=True)):
        for at in range(depth):
            block = f"encoder.layers.{stage}.blocks.{at}"
            found |= _swin_block(block, width, heads, window)
        if stage + 1 < len(config["depths"]):
            found[f"encoder.layers.{stage}.downsample.reduction.weight"] = (2 * width, 4 * width)
            found |= _norm(f"encoder.layers.{stage}.downsample.norm", 4 * width)
            width *= 2
    return {
        **_under("vision_model.model.", found),
        "vision_model.projection_head.weight": (config["projection_dim"], width),
        "text_model.model.embeddings.position_ids": (1, 512),
        "logit_scale": (),
    }


def _swin_block(block: str, width: int, heads: int, window: int) -> Shapes:
    found: Shapes = {
        f"{block}.attention.self.relative_position_bias_table": ((2 * window - 1) ** 2, heads),
        f"{block}.attention.self.relative_position_index": (window**2, window**2),
    }
    for part in ("query", "key", "value"):
        found |= _linear(f"{block}.attention.self.{part}", width, width)
    found |= _linear(f"{block}.attention.output.dense", width, width)
    found |= _linear(f"{block}.intermediate.dense", 4 * width, width)
    found |= _linear(f"{block}.output.dense", width, 4 * width)
    return {
        **found,
        **_norm(f"{block}.layernorm_before", width),
        **_norm(f"{block}.layernorm_after", width),
    }


def resnet(config: Config) -> Shapes:
    """microsoft/resnet-50: a ResNetForImageClassification."""
    before = config["embedding_size"]
    found = _convolved("resnet.embedder.embedder", before, 3, 7)
    for stage, (depth, width) in enumerate(
        zip(config["depths"], config["hidden_sizes"], strict=True)
    ):
        for at in range(depth):
            layer = f"resnet.encoder.stages.{stage}.layers.{at}"
            if at == 0:
                found |= _convolved(f"{layer}.shortcut", width, before, 1)
            found |= _convolved(f"{layer}.layer.0", width // 4, before, 1)
            found |= _convolved(f"{layer}.layer.1", width // 4, width // 4, 3)
            found |= _convolved(f"{layer}.layer.2", width, width // 4, 1)
            before = width
    return {**found, **_linear("classifier.1", config["num_labels"], before)}


def _convolved(name: str, out: int, into: int, side: int) -> Shapes:
    return {
        f"{name}.convolution.weight": (out, into, side, side),
        **_norm(f"{name}.normalization", out),
        f"{name}.normalization.running_mean": (out,),
        f"{name}.normalization.running_var": (out,),
        f"{name}.normalization.num_batches_tracked": (),
    }


_BY_NETWORK: dict[str, Callable[[Config], Shapes]] = {
    "vit": vit,
    "clip": clip,
    "siglip": siglip,
    "dinov2": dinov2,
    "dinov3": dinov3,
    "sam": sam,
    "projected_swin": medclip,
    "resnet": resnet,
}
