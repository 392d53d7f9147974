"""What a network begins with: a published file, or the encoders of other recipes."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from encoders.encoder import EncoderError
from encoders.fetched import WeightsFile, sha256_of
from encoders.folders.told import HEAD, WEIGHTS, read_told
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
        init: a safetensors file; None for random weights.
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
        _fill(body, one.body, _of_folder(one, folder), f"folder {folder}")
    if init is not None:
        into = recipe.network.init_into
        _fill(body, into, _of_file(init, into), f"file {init}")


def _of_folder(one: Needed, folder: Path) -> dict[str, Tensor]:
    try:
        told = read_told(folder)
        found = _tensors(folder / WEIGHTS)
    except EncoderError as fault:
        raise TrainingError(f"{one.recipe}: {fault}") from fault
    if told.name != one.recipe:
        raise TrainingError(f"folder {folder} is of {told.name}, not of {one.recipe}")
    renamed = {}
    for name, tensor in found.items():
        if not name.startswith(HEAD):
            renamed[one.body + name] = tensor
        elif one.head:
            renamed[one.head + name.removeprefix(f"{HEAD}out.")] = tensor
    return renamed


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


def _fill(body: nn.Module, part: str, found: Mapping[str, Tensor], where: str) -> None:
    """Every tensor of the part must be there, and no other."""
    wanted = body.state_dict()
    fitting = {
        name: _on_channels(tensor, wanted[name])
        for name, tensor in with_downsample_bias(found).items()
        if name in wanted
    }
    wrong = sorted(found.keys() - wanted.keys())
    wrong += [name for name, tensor in fitting.items() if wanted[name].shape != tensor.shape]
    wrong += [
        name
        for name in wanted
        if name.startswith(part) and name not in found and not name.endswith(_COUNTER)
    ]
    if wrong or not found:
        some = ", ".join(wrong[:_LISTED]) or "it holds no tensors"
        raise TrainingError(f"{where} does not fit the network: {some}")
    body.load_state_dict(fitting, strict=False)


def _on_channels(tensor: Tensor, wanted: Tensor) -> Tensor:
    """A first convolution of three channels takes one gray channel as it took three equal ones."""
    if tensor.ndim == 4 and tensor.shape[1] == 3 and wanted.shape[1] == 1:
        return tensor.sum(dim=1, keepdim=True)
    return tensor
