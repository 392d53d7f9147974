"""What a network begins with: a published file, or the encoders of other recipes."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from encoders.encoder import EncoderError, EncoderOptions
from encoders.fetched import WeightsFile, located, sha256_of
from encoders.folders.told import HEAD, Told, declaration_of, read_told
from encoders.networks.monai_nets import with_downsample_bias
from encoders.training.fault import TrainingError
from encoders.training.recipe import Needed, Recipe
from encoders.weights import read_weights

_CLASSIFIERS = ("fc.", "class_layers.", "classifier.", "classification_head.", HEAD)
"""Of published files: what a network without a head has no use for."""
_FEATURES = "features."
"""MONAI's whole DenseNet has it before the names of what is our body."""
_COUNTER = "num_batches_tracked"
_LISTED = 5


def begin(body: nn.Module, recipe: Recipe, init: Path | None, needed: Mapping[str, Path]) -> None:
    """Fill a body, or parts of it, with weights that are there already.

    Args:
        body: changed in place.
        recipe: what it needs, and what part a file is of.
        init: a safetensors file; None for random weights. Where the network is made of others and
            says of no part that such a file is of it, they began with it, and it is not read here.
        needed: folders of encoders, by their recipe.

    Raises:
        TrainingError: an encoder that it needs was not given, or is another; or tensors do not
            fit.
    """
    for one in recipe.needs:
        if one.recipe not in needed:
            raise TrainingError(
                f"recipe {recipe.name} is made of {one.recipe}: give its folder with --part "
                f"{one.recipe}=FOLDER"
            )
        folder = needed[one.recipe]
        parts = (one.body, one.head) if one.head else (one.body,)
        _fill(body, parts, _of_folder(one, folder, recipe), f"folder {folder}")
    into = recipe.network.init_into
    if init is not None and (into or not recipe.needs):
        _fill(body, (into,), _of_file(init, into), f"file {init}")


def _of_folder(one: Needed, folder: Path, whole: Recipe) -> dict[str, Tensor]:
    told = part_told(one.recipe, folder)
    # the descriptor's channel may stand beside what parts see that know nothing of it
    seen = (whole.preprocessing, replace(whole.preprocessing, descriptor=False))
    if told.preprocessing not in seen:
        raise TrainingError(
            f"folder {folder} was trained to see {told.preprocessing.text!r}, and {whole.name} "
            f"sees {whole.preprocessing.text!r}: they are to see the same"
        )
    try:
        found = read_weights(located(declaration_of(told, folder), EncoderOptions())).tensors
    except EncoderError as fault:
        raise TrainingError(f"{one.recipe}: {fault}") from fault
    renamed = {}
    for name, tensor in found.items():
        if not name.startswith(HEAD):
            renamed[one.body + name] = tensor
        elif one.head:
            renamed[one.head + name.removeprefix(f"{HEAD}out.")] = tensor
    return renamed


def part_told(recipe: str, folder: Path) -> Told:
    """What the folder of an encoder says that a network is made of.

    Raises:
        TrainingError: it is none of an encoder, or of another recipe's.
    """
    try:
        told = read_told(folder)
    except EncoderError as fault:
        raise TrainingError(f"{recipe}: {fault}") from fault
    if told.name != recipe:
        raise TrainingError(f"folder {folder} is of {told.name}, not of {recipe}")
    return told


def _of_file(path: Path, into: str) -> dict[str, Tensor]:
    try:
        found = _tensors(path)
    except EncoderError as fault:
        raise TrainingError(f"--init: {fault}") from fault
    return {
        into + name.removeprefix(_FEATURES): tensor
        for name, tensor in found.items()
        if not name.startswith(_CLASSIFIERS)
    }


def _tensors(path: Path) -> Mapping[str, Tensor]:
    try:
        return read_weights(WeightsFile(path, sha256_of(path))).tensors
    except OSError as fault:
        raise EncoderError(f"weights file {path} cannot be read: {fault.strerror}") from fault


def _fill(body: nn.Module, parts: tuple[str, ...], found: Mapping[str, Tensor], where: str) -> None:
    """Every tensor of the parts must be there, and no other."""
    if not found:
        raise TrainingError(f"{where} does not fit the network: it holds no tensors of a body")
    wanted = {name: one for name, one in body.state_dict().items() if name.startswith(parts)}
    there = {
        name: tensor
        for name, tensor in with_downsample_bias(found).items()
        if name in found or name in wanted
    }
    both = [name for name in there if name in wanted]
    fitting = {name: _on_channels(there[name], wanted[name]) for name in both}
    shapes = [
        f"{name} {tuple(tensor.shape)} instead of {tuple(wanted[name].shape)}"
        for name, tensor in fitting.items()
        if wanted[name].shape != tensor.shape
    ]
    missing = [name for name in wanted if name not in there and not name.endswith(_COUNTER)]
    unexpected = [name for name in there if name not in wanted]
    endless = [name for name, tensor in fitting.items() if not torch.isfinite(tensor).all()]
    faults = {
        "missing": missing,
        "unexpected": unexpected,
        "of another shape": shapes,
        "with NaN or infinity": endless,
    }
    if any(faults.values()):
        told = (_listed(what, names) for what, names in faults.items() if names)
        raise TrainingError(f"{where} does not fit the network: {'; '.join(told)}")
    body.load_state_dict(fitting, strict=False)


def _listed(what: str, names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{what}: {', '.join(names[:_LISTED])}{more}"


def _on_channels(tensor: Tensor, wanted: Tensor) -> Tensor:
    """A first convolution of three channels takes one gray channel as it took three equal ones."""
    if tensor.ndim == 4 and tensor.shape[1] == 3 and wanted.shape[1] == 1:
        return tensor.sum(dim=1, keepdim=True)
    return tensor
