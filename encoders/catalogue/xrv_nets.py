"""torchxrayvision's networks for chest radiographs, built of MONAI's.

Numbers are from its ``models.py`` and ``datasets.py`` (1.5.7). All its DenseNets are published as
pickles of whole modules, on GitHub and on the hub (the same bytes for "all"): they open only where
the package itself can be imported, hence the conversion.
"""

from encoders.declaration import Declaration, Names, OwnFile
from encoders.preprocessing import Preprocessing


def _preprocessing(size: int) -> Preprocessing:
    """``XRayCenterCrop``, then ``XRayResizer(size)`` with its default engine, scikit-image."""
    return Preprocessing(
        size=size,
        resize="central square",
        filter="gaussian",
        eight_bits=False,
        low=-1024.0,
        high=1024.0,
        mean=(0.0,),
        std=(1.0,),
    )


def _converted(network: str, name: str, kept: str) -> OwnFile:
    return OwnFile(
        "a safetensors file made once, where torchxrayvision is installed, by: python -c "
        f'"import torchxrayvision as x, safetensors.torch as s; s.save_file({{k: v for k, v in '
        f"x.models.{network}(weights='{name}').state_dict().items() if k.startswith('{kept}')}}, "
        f"'{name}.safetensors')\""
    )


def _densenet(weights: str, trained_on: str) -> Declaration:
    return Declaration(
        name=f"xrv-densenet121-{weights}",
        summary=f"torchxrayvision's DenseNet-121, trained on {trained_on}",
        network="encoders.networks.monai_nets:densenet121",
        config={"in_channels": 1},
        source=_converted("DenseNet", f"densenet121-res224-{weights}", "features."),
        preprocessing=_preprocessing(224),
        pooling="mean after ReLU",
        dimension=1024,
        licence="Apache-2.0",
        modalities=("CR", "DX"),
        names=Names(
            prefix="features.",
            # MONAI has the layers of a dense layer in a sequence of their own
            renamed=((r"(\.denselayer\d+)\.", r"\1.layers."),),
        ),
        reference="https://arxiv.org/abs/2111.00595",
    )


RESNET50 = Declaration(
    name="xrv-resnet50-all",
    summary="torchxrayvision's ResNet-50, trained on five sets (PadChest, NIH, RSNA, SIIM, VinBig)",
    network="encoders.networks.monai_nets:resnet50",
    config={"in_channels": 1, "layers": (3, 4, 6, 3), "planes": (64, 128, 256, 512)},
    source=_converted("ResNet", "resnet50-res512-all", "model."),
    preprocessing=_preprocessing(512),
    pooling="mean",
    dimension=2048,
    licence="Apache-2.0",
    modalities=("CR", "DX"),
    names=Names(
        prefix="model.",
        ignored=("fc.",),
        rework="encoders.networks.monai_nets:with_downsample_bias",
    ),
    reference="https://arxiv.org/abs/2111.00595",
)

DECLARATIONS = (
    _densenet("all", "seven sets (NIH, PadChest, CheXpert, MIMIC, Google, OpenI, RSNA)"),
    _densenet("nih", "NIH ChestX-ray14"),
    _densenet("pc", "PadChest"),
    _densenet("chex", "CheXpert"),
    _densenet("rsna", "the RSNA pneumonia challenge"),
    _densenet("mimic_nb", "MIMIC-CXR, labels by NegBio"),
    _densenet("mimic_ch", "MIMIC-CXR, labels by CheXpert's labeler"),
    RESNET50,
)
