"""Image towers that open_clip names, with the preprocessing that it keeps beside their weights.

Only the image tower is built, from open_clip's own table: nothing is downloaded here.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any, cast, get_args

from torch import Tensor

from encoders.catalogue import biomedclip
from encoders.declaration import Declaration, Hub, Names, OwnFile
from encoders.encoder import EncoderError
from encoders.extras import imported
from encoders.networks.pooled import PooledNetwork
from encoders.preprocessing import CLIP_MEAN, CLIP_STD, Filter, Preprocessing, Resize

EXTRA = "likeness-node[timm]"
PREFIX = "open_clip:"
HUB = "hf-hub:"
WEIGHTS_FILE = "open_clip_model.safetensors"
CHANNELS = 3

_RESIZE: Mapping[str, Resize] = {
    "shortest": "shortest side",
    "longest": "longest side",
    "squash": "square",
}
"""By open_clip's resize_mode (``open_clip.transform.image_transform``)."""


def declare(name: str) -> Declaration:
    """What open_clip knows of ``open_clip:MODEL/PRETRAINED`` or ``open_clip:hf-hub:REPOSITORY``.

    ``open_clip:MODEL`` is the architecture with weights of one's own.

    Raises:
        EncoderError: open_clip cannot be imported or has no such model.
    """
    wanted = name.removeprefix(PREFIX)
    if wanted == HUB + biomedclip.REPOSITORY:
        return biomedclip.BIOMEDCLIP  # open_clip's table lacks it, and it needs no open_clip
    open_clip = imported("open_clip", EXTRA)
    model, tag = _model_and_tag(open_clip, wanted)
    architecture = open_clip.get_model_config(model)
    if architecture is None:
        raise EncoderError(f"open_clip has no model {model!r}; see open_clip.list_models()")
    published = open_clip.get_pretrained_cfg(model, tag) if tag else {}
    if tag and not published:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(model))
        raise EncoderError(f"open_clip has no weights {tag!r} of {model}; it has {tags or 'none'}")
    preprocessing = preprocessing_of(model, architecture, published)
    return Declaration(
        name=name,
        summary=f"image tower of open_clip's {model}",
        network="encoders.networks.open_clip_nets:network",
        config={
            "model": model,
            "quick_gelu": _quick_gelu(architecture, published),
            "img_size": preprocessing.size,
            "in_channels": CHANNELS,
        },
        source=_source(model, published),
        preprocessing=preprocessing,
        pooling="the tower's own, projected",
        dimension=architecture["embed_dim"],
        licence="see the authors' page",
        packages={"open_clip": EXTRA, "torchvision": EXTRA},
        names=Names(prefix="visual."),
        reference="https://github.com/mlfoundations/open_clip",
    )


def network(config: Mapping[str, Any], pooling: str) -> PooledNetwork:  # noqa: ARG001
    """The image tower of a model, whose answer is the vector.

    Args:
        config: ``model``, of open_clip's table; ``quick_gelu``, as its weights were trained;
            ``img_size``; ``in_channels``, which must be 3.
        pooling: only the tower's own.

    Raises:
        EncoderError: another number of channels is asked for.
    """
    if config["in_channels"] != CHANNELS:
        raise EncoderError(f"open_clip's {config['model']} takes {CHANNELS} channels")
    open_clip = imported("open_clip", EXTRA)
    known = open_clip.get_model_config(config["model"])
    vision = {**known["vision_cfg"], "image_size": config["img_size"]}
    # whole models build a text tower too, for which some ask the hub
    build = open_clip.model._build_vision_tower
    tower = build(known["embed_dim"], vision, config["quick_gelu"])
    return PooledNetwork(tower, _vectors)


def preprocessing_of(
    model: str, architecture: Mapping[str, Any], published: Mapping[str, Any]
) -> Preprocessing:
    """What open_clip does to a picture before that model.

    Raises:
        EncoderError: a step of it has no counterpart here.
    """
    size = architecture["vision_cfg"].get("image_size", 224)
    resize = _RESIZE.get(published.get("resize_mode", "shortest"))
    smoothing = published.get("interpolation", "bicubic")
    if not isinstance(size, int) or resize is None or smoothing not in get_args(Filter):
        raise EncoderError(f"open_clip prepares images for {model} in a way that is not known here")
    return Preprocessing(
        size=size,
        resize=resize,
        filter=cast("Filter", smoothing),
        crop="to even",
        mean=tuple(published.get("mean", CLIP_MEAN)),
        std=tuple(published.get("std", CLIP_STD)),
    )


def _model_and_tag(open_clip: ModuleType, wanted: str) -> tuple[str, str]:
    if not wanted.startswith(HUB):
        model, _, tag = wanted.partition("/")
        return model, tag
    repository = wanted.removeprefix(HUB)
    for model, tag in open_clip.list_pretrained():
        if _hub_of(open_clip.get_pretrained_cfg(model, tag))[0] == repository:
            return model, tag
    raise EncoderError(
        f"open_clip's table does not know the repository {repository}, so its architecture is not "
        f"known before it is downloaded; name it as {PREFIX}MODEL/PRETRAINED, or as {PREFIX}MODEL "
        "with a weights file of your own"
    )


def _hub_of(published: Mapping[str, Any]) -> tuple[str, str]:
    """Repository and file, both empty where the weights are not on the hub."""
    owner, _, rest = published.get("hf_hub", "").partition("/")
    name, _, file = rest.partition("/")
    return (f"{owner}/{name}", file or WEIGHTS_FILE) if name else ("", "")


def _source(model: str, published: Mapping[str, Any]) -> Hub | OwnFile:
    repository, file = _hub_of(published)
    if repository:
        return Hub(repository, file)
    return OwnFile(f"a safetensors file with open_clip's names for {model}, image tower 'visual.'")


def _quick_gelu(architecture: Mapping[str, Any], published: Mapping[str, Any]) -> bool:
    """Whose activation counts: that of the training of the weights, where it is told."""
    return bool((published or architecture).get("quick_gelu", False))


def _vectors(found: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    # towers of captioning models give their tokens too
    return found[0] if isinstance(found, tuple) else found
