"""Networks that timm names, with the preprocessing that timm keeps beside their weights.

Only ``timm.create_model(…, pretrained=False)`` is called: nothing is downloaded here.
"""

import math
from collections.abc import Mapping
from types import ModuleType
from typing import Any, cast, get_args

import torch
from torch import Tensor, nn

from encoders.declaration import Declaration, Hub, Names, OwnFile
from encoders.encoder import EncoderError
from encoders.extras import imported
from encoders.networks.pooled import PooledNetwork
from encoders.preprocessing import Filter, Preprocessing, Resize

EXTRA = "likeness-node[timm]"
PREFIX = "timm:"
WEIGHTS_FILE = "model.safetensors"

_RESIZE: Mapping[str, Resize] = {"center": "shortest side", "squash": "square"}
"""By timm's crop_mode (``timm.data.transforms_factory.transforms_imagenet_eval``)."""

_COMPUTED = ("relative_position_index", "relative_coords_table", "attn_mask")
"""Endings of buffers that older files hold and that timm computes today."""


def declare(name: str) -> Declaration:
    """What timm knows of ``timm:ARCHITECTURE.TAG``, or of an architecture without its weights.

    Raises:
        EncoderError: timm cannot be imported, has no such network, prepares its images in a way
            that has no counterpart here, or the network gives no vector.
    """
    timm = imported("timm", EXTRA)
    network = name.removeprefix(PREFIX)
    published = _published(timm, network)
    bare = _built(timm, network, {})
    config: dict[str, Any] = {"name": network, "in_channels": published.input_size[0]}
    if published.fixed_input_size:
        config["img_size"] = published.input_size[-1]
    return Declaration(
        name=name,
        summary=f"{published.architecture} of timm, before its classifier",
        network="encoders.networks.timm_nets:network",
        config=config,
        source=_source(network, published),
        preprocessing=preprocessing_of(network, published),
        pooling="the network's own, before its classifier",
        dimension=_dimension(network, bare, published),
        licence=published.license or "see the authors' page",
        packages={"timm": EXTRA, "torchvision": EXTRA},
        names=Names(
            ignored=_classifier(timm, network, bare),
            rework="encoders.networks.timm_nets:without_computed",
        ),
        reference=published.origin_url or "",
    )


def network(config: Mapping[str, Any], pooling: str) -> PooledNetwork:  # noqa: ARG001
    """The network without its classifier, whose answer is the pooled vector.

    Args:
        config: ``name`` with timm's tag, ``in_channels``; ``img_size`` for those that need one.
        pooling: only the network's own.
    """
    timm = imported("timm", EXTRA)
    sized = {"img_size": config["img_size"]} if "img_size" in config else {}
    model = timm.create_model(
        config["name"],
        pretrained=False,
        num_classes=0,
        in_chans=config["in_channels"],
        **sized,
    )
    return PooledNetwork(model, nn.Identity())


def without_computed(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the buffers that timm computes when it builds the network."""
    return {name: tensor for name, tensor in found.items() if not name.endswith(_COMPUTED)}


def preprocessing_of(network: str, published: Any) -> Preprocessing:
    """What timm does to a picture before that network, from its ``PretrainedCfg``.

    Raises:
        EncoderError: a step of it has no counterpart here.
    """
    channels, rows, columns = published.input_size
    resize, smoothing = _RESIZE.get(published.crop_mode), published.interpolation
    if rows != columns or resize is None or smoothing not in get_args(Filter):
        raise EncoderError(
            f"timm prepares images for {network} in a way that is not known here: "
            f"{rows} x {columns} pixels, crop mode {published.crop_mode}, filter {smoothing}"
        )
    return Preprocessing(
        size=rows,
        resize=resize,
        resize_to=math.floor(rows / published.crop_pct),
        filter=cast("Filter", smoothing),
        crop="to even",
        mean=tuple(published.mean)[:channels],
        std=tuple(published.std)[:channels],
    )


def _published(timm: ModuleType, network: str) -> Any:
    """timm's record of weights and their preprocessing."""
    architecture = network.partition(".")[0]
    if not timm.is_model(network):
        near = ", ".join(timm.list_models(f"*{architecture}*")[:5])
        raise EncoderError(f"timm has no network {network!r}" + (f"; it has {near}" * bool(near)))
    try:
        return timm.get_pretrained_cfg(network, allow_unregistered=False)
    except RuntimeError as error:
        tags = ", ".join(timm.list_pretrained(f"{architecture}.*"))
        raise EncoderError(f"timm: {error}; there are {tags or 'no published weights'}") from error


def _source(network: str, published: Any) -> Hub | OwnFile:
    """An untagged name is the architecture alone: which weights are meant would be a guess."""
    repository = published.hf_hub_id or ""
    if "." in network and repository.startswith("timm/") and not published.hf_hub_filename:
        return Hub(repository, WEIGHTS_FILE)
    remedy = f"a safetensors file with timm's names for {network}"
    if "." in network:
        remedy += (
            ', which timm gets from elsewhere: python -c "import timm, safetensors.torch as s; '
            f"s.save_file(timm.create_model('{network}', pretrained=True).state_dict(), "
            f"'{network}.safetensors')\""
        )
    return OwnFile(remedy)


def _built(timm: ModuleType, network: str, options: Mapping[str, Any]) -> nn.Module:
    """Without memory for weights; by default without its classifier."""
    with torch.device("meta"):
        model = timm.create_model(network, pretrained=False, **{"num_classes": 0, **options})
    return cast("nn.Module", model)


def _dimension(network: str, bare: nn.Module, published: Any) -> int:
    """Found by a forward pass of shapes alone: the attributes that tell it differ by network."""
    with torch.inference_mode():
        answer = bare.eval()(torch.zeros(1, *published.input_size, device="meta"))
    shape = tuple(getattr(answer, "shape", ()))
    if len(shape) != 2:
        raise EncoderError(f"timm's {network} answers with {shape or type(answer)}, not a vector")
    return int(shape[1])


def _classifier(timm: ModuleType, network: str, bare: nn.Module) -> tuple[str, ...]:
    """Names of the tensors that the network has only with its classifier."""
    whole = timm.get_pretrained_cfg(network, allow_unregistered=False).num_classes
    if not whole:
        return ()
    named = _built(timm, network, {"num_classes": whole}).state_dict().keys()
    return tuple(sorted(named - bare.state_dict().keys()))
