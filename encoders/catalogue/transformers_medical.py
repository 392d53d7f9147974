"""Encoders: networks of the transformers library that were trained on medical images.

Each one's preprocessing is its authors'; where published retrieval code gives a network another
input than its authors do, that is an entry of its own.
"""

from dataclasses import replace

from encoders.catalogue import transformers_names as names
from encoders.catalogue.transformers_natural import (
    DINOV2,
    NETS,
    PACKAGES,
    SAM_B_16,
    SAM_INPUT,
    SHORTEST_TO_224,
    SIGLIP,
    SIGLIP_SO400M_14,
)
from encoders.declaration import Declaration, Hub, OwnFile
from encoders.preprocessing import HALF, Preprocessing

CHEST_RADIOGRAPHS = ("CR", "DX")
_MEDCLIP_MEAN, _MEDCLIP_STD = (0.5862785803043838,) * 3, (0.27950088968644304,) * 3

RAD_DINO = replace(
    DINOV2,
    name="rad-dino",
    summary="RAD-DINO: DINOv2 ViT-B/14 of chest radiographs at 518, CLS token",
    source=Hub("microsoft/rad-dino"),
    preprocessing=Preprocessing(
        size=518,
        resize="shortest side",
        filter="bicubic",
        mean=(0.5307,) * 3,
        std=(0.2583,) * 3,
    ),
    licence="MIT",
    modalities=CHEST_RADIOGRAPHS,
    reference="https://arxiv.org/abs/2401.10815",
)

MEDSIGLIP = replace(
    SIGLIP,
    name="medsiglip-448",
    summary="MedSigLIP SoViT-400m/14 at 448, attention head",
    config={**SIGLIP_SO400M_14, "image_size": 448},
    source=Hub("google/medsiglip-448", gated=True),
    preprocessing=Preprocessing(size=448, resize="square", filter="bicubic", mean=HALF, std=HALF),
    dimension=1152,
    licence="Health AI Developer Foundations terms of use",
    modalities=("CR", "DX", "CT", "MR", "OP", "SM", "XC"),
    reference="https://arxiv.org/abs/2507.05201",
)

MEDCLIP = Declaration(
    name="medclip-swin",
    summary="MedCLIP Swin-T of chest radiographs and their reports, projected mean of tokens",
    network=f"{NETS}:projected_swin",
    config={
        "image_size": 224,
        "patch_size": 4,
        "embed_dim": 96,
        "depths": (2, 2, 6, 2),
        "num_heads": (3, 6, 12, 24),
        "window_size": 7,
        "mlp_ratio": 4.0,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
        "projection_dim": 512,
    },
    source=OwnFile(
        "MedCLIP's pytorch_model.bin, from the archive medclip-vit-pretrained.zip "
        "that github.com/RyanWangZf/MedCLIP names"
    ),
    preprocessing=Preprocessing(
        size=224,
        resize="filled square",
        filter="bicubic",
        mean=_MEDCLIP_MEAN,
        std=_MEDCLIP_STD,
    ),
    pooling="mean of tokens, projected",
    dimension=512,
    licence="MIT",
    modalities=CHEST_RADIOGRAPHS,
    packages=PACKAGES,
    names=names.OF_MEDCLIP,
    reference="https://arxiv.org/abs/2210.10163",
)
MEDCLIP_CROPPED = replace(
    MEDCLIP,
    name="medclip-swin-cropped",
    summary="MedCLIP Swin-T as the code of Denner et al. runs it: cropped, not filled to a square",
    preprocessing=replace(SHORTEST_TO_224, mean=_MEDCLIP_MEAN, std=_MEDCLIP_STD),
)

MEDSAM = Declaration(
    name="medsam",
    summary="image encoder of MedSAM ViT-B, mean of the neck's map",
    network=f"{NETS}:sam",
    config=SAM_B_16,
    # what stands under wanglab/medsam-vit-base on the hub has another image encoder
    source=OwnFile(
        "medsam_vit_b.pth, the checkpoint that github.com/bowang-lab/MedSAM names "
        "(not the copy on the hub, whose image encoder is another one)"
    ),
    # the authors resize by scikit-image's cubic spline, which the bicubic filter stands for
    preprocessing=Preprocessing(
        size=1024,
        resize="square",
        filter="bicubic",
        stretch=True,
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
    ),
    pooling="mean of the neck's map",
    dimension=256,
    licence="Apache-2.0",
    packages=PACKAGES,
    names=names.OF_MEDSAM,
    reference="https://arxiv.org/abs/2304.12306",
)
MEDSAM_SAM_INPUT = replace(
    MEDSAM,
    name="medsam-sam-input",
    summary="MedSAM ViT-B as the code of Denner et al. runs it: with the preprocessing of SAM",
    preprocessing=SAM_INPUT,
)

DECLARATIONS = (
    RAD_DINO,
    MEDSIGLIP,
    MEDCLIP,
    MEDCLIP_CROPPED,
    MEDSAM,
    MEDSAM_SAM_INPUT,
)
