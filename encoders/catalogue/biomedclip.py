"""BiomedCLIP's image tower, on MONAI's vision transformer: the optional libraries are not needed.

Its authors publish it for open_clip, over a ViT of timm; numbers are from ``open_clip_config.json``
of their repository, and timm's ``vit_base_patch16_224``.
"""

from encoders.declaration import Declaration, Hub, Names
from encoders.preprocessing import CLIP_MEAN, CLIP_STD, Preprocessing

REPOSITORY = "microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224"

BIOMEDCLIP = Declaration(
    name="biomedclip",
    summary="BiomedCLIP ViT-B/16 (PubMed Central figures), projected class token",
    network="encoders.networks.timm_vit:projected",
    config={
        "in_channels": 3,
        "img_size": 224,
        "patch_size": 16,
        "hidden_size": 768,
        "mlp_dim": 3072,
        "num_layers": 12,
        "num_heads": 12,
        "projected": 512,
    },
    # the authors publish a pickle of tensors only
    source=Hub(REPOSITORY, "open_clip_pytorch_model.bin"),
    preprocessing=Preprocessing(
        size=224,
        resize="shortest side",
        filter="bicubic",
        crop="to even",
        mean=CLIP_MEAN,
        std=CLIP_STD,
    ),
    pooling="class token, projected",
    dimension=512,
    licence="MIT",
    names=Names(
        prefix="visual.",
        renamed=(
            (r"^trunk\.patch_embed\.proj\.", "trunk.patch_embedding.patch_embeddings."),
            (r"\.attn\.proj\.", ".attn.out_proj."),
            (r"\.mlp\.fc([12])\.", r".mlp.linear\1."),
        ),
        rework="encoders.networks.timm_vit:with_token_position",
    ),
    reference="https://arxiv.org/abs/2303.00915",
)

DECLARATIONS = (BIOMEDCLIP,)
