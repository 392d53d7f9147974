"""The registry's networks, shrunk: the same builders and layers, fewer and narrower ones."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from encoders.declaration import Declaration, Hub, InFolder
from encoders.preprocessing import Preprocessing


class Shrunk(NamedTuple):
    """What a small network has instead of the published parameters.

    Attributes:
        config: parameters of the architecture that differ.
        dimension: length of its vectors.
        size: rows and columns of its input, pixels; the declared ones where None.
    """

    config: Mapping[str, Any]
    dimension: int
    size: int | None = None


_MONAI, _HF = "encoders.networks.monai_nets", "encoders.networks.transformers_nets"
_MONAI_VIT = {"hidden_size": 32, "mlp_dim": 64, "num_layers": 2, "num_heads": 4}
_HF_VIT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
_HF_INNER = {**_HF_VIT, "intermediate_size": 48}

SMALL: dict[str, Shrunk] = {
    f"{_MONAI}:densenet121": Shrunk(
        {"init_features": 16, "growth_rate": 8, "block_config": (1, 1, 1, 1)}, 17
    ),
    f"{_MONAI}:resnet50": Shrunk({"layers": (1, 1, 1, 1), "planes": (8, 8, 16, 16)}, 64),
    f"{_MONAI}:vit": Shrunk(_MONAI_VIT, 32),
    "encoders.networks.timm_vit:projected": Shrunk({**_MONAI_VIT, "projected": 24}, 24),
    "encoders.networks.beside_descriptor:beside_descriptor": Shrunk(
        {
            "parts": [
                {
                    "builder": "small resnet",
                    "config": {"in_channels": 1, "width": 2},
                    "pooling": "normed mean",
                    "share": 0.7,
                },
                {
                    "builder": "descriptor perceptron",
                    "config": {"hidden": 8, "dimension": 5, "dropout": 0.5},
                    "pooling": "normed",
                    "share": 0.7,
                    "descriptor": True,
                },
            ]
        },
        1532 + 16 + 5,
        48,
    ),
    f"{_HF}:vit": Shrunk({**_HF_INNER, "image_size": 64}, 32, 64),
    f"{_HF}:clip": Shrunk({**_HF_INNER, "image_size": 56, "projection_dim": 24}, 24, 56),
    f"{_HF}:siglip": Shrunk({**_HF_INNER, "image_size": 64, "patch_size": 16}, 32, 64),
    # positions of 5 x 5 patches for an input of 4 x 4: they have to be resized
    f"{_HF}:dinov2": Shrunk({**_HF_VIT, "image_size": 70}, 32, 56),
    f"{_HF}:dinov3": Shrunk(_HF_INNER, 32, 64),
    f"{_HF}:sam": Shrunk(
        {
            **_HF_VIT,
            "image_size": 64,
            "output_channels": 24,
            "mlp_dim": 48,
            "window_size": 3,
            "global_attn_indexes": (1,),
        },
        24,
        64,
    ),
    f"{_HF}:projected_swin": Shrunk(
        {
            "image_size": 64,
            "embed_dim": 12,
            "depths": (2, 1),
            "num_heads": (3, 6),
            "window_size": 4,
            "projection_dim": 20,
        },
        20,
        64,
    ),
    # as many classes as there are maps, so that each pooling gives as many numbers
    f"{_HF}:resnet": Shrunk(
        {"embedding_size": 8, "hidden_sizes": (16, 24), "depths": (1, 2), "num_labels": 24}, 24, 64
    ),
}
"""By the network's path, ``module:function``."""


def small(declaration: Declaration) -> Declaration:
    """The declaration of a network that is built and run in a moment; names stay as they are.

    Weights are the test's own, of those too that come with Likeness.
    """
    shrunk = SMALL[declaration.network]
    asked, source = declaration.preprocessing, declaration.source
    return replace(
        declaration,
        config={**declaration.config, **shrunk.config},
        source=Hub("made/weights") if isinstance(source, InFolder) else source,
        preprocessing=None if asked is None else _smaller(asked, shrunk.size or asked.size),
        dimension=shrunk.dimension,
    )


def _smaller(asked: Preprocessing, size: int) -> Preprocessing:
    to = None if asked.resize_to is None else asked.resize_to * size // asked.size
    return replace(asked, size=size, resize_to=to)
