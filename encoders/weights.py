"""Weights files: what they hold, and whether it fits the network.

safetensors are mapped, not read: a tensor takes memory when it is copied into the network, and one
that the network does not need takes none.
"""

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from encoders.declaration import Names
from encoders.encoder import EncoderError
from encoders.fetched import WeightsFile
from encoders.weights_pickle import is_pickled, read_pickle

_LISTED = 5  # names in a message; a foreign file differs in hundreds


@dataclass(frozen=True)
class Weights:
    """An opened file of weights.

    Attributes:
        path: where it was read from.
        digest: SHA-256 of the whole file, hexadecimal.
        tensors: by name, on the CPU; to be copied, for they may be a window on the file.
        metadata: a safetensors header's text fields.
        file: that it was read from; None for tensors that are no window on one.
    """

    path: Path
    digest: str
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]
    file: WeightsFile | None = None


def read_weights(file: WeightsFile) -> Weights:
    """Open a safetensors file; a pickle, as tensors only, where the site allows it.

    Raises:
        EncoderError: the file is cut short, of another format, a pickle and none is allowed, or
            not the one any more that its digest is of.
    """
    try:
        found = _opened(file)
    except OSError as error:
        raise EncoderError(f"weights file {file.path} cannot be read: {error}") from error
    except SafetensorError as error:
        raise EncoderError(
            f"weights file {file.path} is no whole safetensors file ({error}); fetch or copy it "
            "again"
        ) from error
    file.must_be_unchanged()
    return found


def _opened(file: WeightsFile) -> Weights:
    if is_pickled(file.path):
        return Weights(file.path, file.sha256, read_pickle(file), {}, file)
    with safe_open(file.path, framework="pt", device="cpu") as opened:
        metadata = dict(opened.metadata() or {})
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    return Weights(file.path, file.sha256, tensors, metadata, file)


def load_into(model: nn.Module, weights: Weights, names: Names) -> None:
    """Copy tensors into a model after checking every name, shape and value.

    Args:
        model: changed in place.
        weights: as published.
        names: how the published names become the model's.

    Raises:
        EncoderError: names are missing or unexpected, shapes or types differ (the first few are
            listed), a value is NaN or infinite, or the file was changed meanwhile.
    """
    found = renamed(weights.tensors, names)
    # counters of training steps that some writers leave out; no forward pass reads them
    wanted = {
        name: tensor
        for name, tensor in model.state_dict().items()
        if name in found or not name.endswith("num_batches_tracked")
    }
    faults = _differences(wanted, found)
    if faults:
        raise EncoderError(
            f"weights file {weights.path} does not fit the network: {'; '.join(faults)}"
        )
    for name, tensor in _needed(weights.tensors, names).items():
        if not _is_finite(tensor):
            raise EncoderError(f"weights file {weights.path} holds NaN or infinity in {name}")
    model.load_state_dict(found, strict=False)
    if weights.file is not None:  # tensors are a window on the file up to here
        weights.file.must_be_unchanged()


def renamed(tensors: Mapping[str, Tensor], names: Names) -> dict[str, Tensor]:
    """The tensors that a network needs, by its own names for them."""
    found = {
        _renamed(name.removeprefix(names.prefix), names): tensor
        for name, tensor in _needed(tensors, names).items()
    }
    if not names.rework:
        return found
    module, function = names.rework.split(":")
    reworked: dict[str, Tensor] = getattr(importlib.import_module(module), function)(found)
    return reworked


def _needed(tensors: Mapping[str, Tensor], names: Names) -> dict[str, Tensor]:
    """By their published names."""
    return {
        name: tensor
        for name, tensor in tensors.items()
        if name.startswith(names.prefix)
        and not name.removeprefix(names.prefix).startswith(names.ignored)
    }


def _renamed(name: str, names: Names) -> str:
    for pattern, instead in names.renamed:
        name = re.sub(pattern, instead, name)
    return name


def _is_finite(tensor: Tensor) -> bool:
    if not tensor.is_floating_point() or tensor.numel() == 0:
        return True
    # both ends are NaN as soon as one value is; isfinite would hold the tensor a second time
    ends = torch.stack(tuple(tensor.detach().aminmax()))
    return bool(torch.isfinite(ends).all())


def _differences(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    both = wanted.keys() & found.keys()
    shapes = sorted(
        f"{name} {tuple(found[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in both
        if found[name].shape != wanted[name].shape
    )
    types = sorted(
        f"{name} {found[name].dtype} instead of {wanted[name].dtype}"
        for name in both
        if found[name].is_floating_point() != wanted[name].is_floating_point()
    )
    parts = {
        "missing": sorted(wanted.keys() - found.keys()),
        "unexpected": sorted(found.keys() - wanted.keys()),
        "of another shape": shapes,
        "of another type": types,
    }
    return [_listed(what, names) for what, names in parts.items() if names]


def _listed(what: str, names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{what}: {', '.join(names[:_LISTED])}{more}"
