"""How names of published tensors become those of transformers 5.23.

The library renamed its layers after most of these files had been published; its own
``conversion_mapping`` says the same to its own loader.
"""

from encoders.declaration import Names

Renamed = tuple[tuple[str, str], ...]

_JOINED_ATTENTION: Renamed = (
    (r"attention\.attention\.query\.", "attention.q_proj."),
    (r"attention\.attention\.key\.", "attention.k_proj."),
    (r"attention\.attention\.value\.", "attention.v_proj."),
    (r"attention\.output\.dense\.", "attention.o_proj."),
)
VIT: Renamed = (
    *_JOINED_ATTENTION,
    (r"^encoder\.layer\.", "layers."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
)
SWIN: Renamed = (
    (r"attention\.self\.query\.", "attention.q_proj."),
    (r"attention\.self\.key\.", "attention.k_proj."),
    (r"attention\.self\.value\.", "attention.v_proj."),
    (
        r"attention\.self\.relative_position_bias_table$",
        "attention.relative_position_bias.relative_position_bias_table",
    ),
    (r"attention\.output\.dense\.", "attention.o_proj."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
)
SEGMENT_ANYTHING: Renamed = (
    (r"^blocks\.", "layers."),
    (r"\.norm([12])\.", r".layer_norm\1."),
    (r"^patch_embed\.proj\.", "patch_embed.projection."),
    (r"^neck\.0\.", "neck.conv1."),
    (r"^neck\.1\.", "neck.layer_norm1."),
    (r"^neck\.2\.", "neck.conv2."),
    (r"^neck\.3\.", "neck.layer_norm2."),
)
OF_VIT = Names(ignored=("pooler.",), renamed=VIT)
OF_MAE = Names(prefix="vit.", renamed=VIT)
OF_DINOV2 = Names(renamed=_JOINED_ATTENTION)
OF_DINOV3 = Names(renamed=((r"^layer\.", "model.layer."),))
OF_CLIP = Names(
    ignored=(
        "text_model.",
        "text_projection.",
        "logit_scale",
        "vision_model.embeddings.position_ids",
    )
)
OF_SIGLIP = Names(prefix="vision_model.")
OF_SAM = Names(prefix="vision_encoder.")
OF_MEDSAM = Names(prefix="image_encoder.", renamed=SEGMENT_ANYTHING)
OF_MEDCLIP = Names(
    prefix="vision_model.",
    renamed=SWIN,
    rework="encoders.networks.transformers_nets:without_position_index",
)
OF_RESNET = Names(prefix="resnet.")
OF_RESNET_WITH_CLASSES = Names()
