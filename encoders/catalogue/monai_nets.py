"""Encoders on MONAI's own networks, with weights that the site brings."""

from encoders.declaration import Declaration, Names, OwnFile
from encoders.preprocessing import Preprocessing

DENSENET121 = Declaration(
    name="monai-densenet121",
    summary="MONAI's DenseNet-121 with weights of your own",
    network="encoders.networks.monai_nets:densenet121",
    config={"in_channels": 1},
    source=OwnFile("a safetensors file with the names of MONAI's DenseNet121(spatial_dims=2)"),
    preprocessing=Preprocessing(
        size=224, resize="longest side", eight_bits=False, mean=(0.5,), std=(0.25,)
    ),
    pooling="mean after ReLU",
    dimension=1024,
    licence="that of your weights",
    names=Names(prefix="features."),
    reference="https://arxiv.org/abs/1608.06993",
)

DECLARATIONS = (DENSENET121,)
