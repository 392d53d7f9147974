"""Weights files: what they hold, whether it fits, and the digest that names them."""

import hashlib
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

_CHUNK_BYTES = 1 << 20
_LISTED = 5  # names in a message; a foreign file differs in hundreds


@dataclass(frozen=True)
class Weights:
    """A read safetensors file.

    Attributes:
        path: where it was read from.
        digest: SHA-256 of the whole file, hexadecimal.
        tensors: by name.
        metadata: the header's text fields.
    """

    path: Path
    digest: str
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]


def read_weights(path: Path) -> Weights:
    """Read a safetensors file into memory. Pickled files are never opened as such.

    Raises:
        EncoderError: the file is missing, cut short, of another format, or holds NaN.
    """
    try:
        digest = sha256_of(path)
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise EncoderError(f"weights file {path} cannot be read: {error.strerror}") from error
    except SafetensorError as error:
        raise EncoderError(
            f"weights file {path} is no whole safetensors file ({error}); fetch it again, or "
            "convert other formats with safetensors.torch.save_file"
        ) from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise EncoderError(f"weights file {path} holds NaN or infinity in {name}")
    return Weights(path, digest, tensors, metadata)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits.

    Raises:
        OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def load_into(model: nn.Module, weights: Weights, names: Names) -> None:
    """Copy tensors into a model after checking every name and shape.

    Args:
        model: changed in place.
        weights: as published.
        names: how the published names become the model's.

    Raises:
        EncoderError: names are missing or unexpected, or shapes differ; the first few are listed.
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
    model.load_state_dict(found, strict=False)


def renamed(tensors: Mapping[str, Tensor], names: Names) -> dict[str, Tensor]:
    """The tensors that a network needs, by its own names for them."""
    wanted = {
        name.removeprefix(names.prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(names.prefix)
    }
    kept = {name: tensor for name, tensor in wanted.items() if not name.startswith(names.ignored)}
    found = {_renamed(name, names): tensor for name, tensor in kept.items()}
    if not names.rework:
        return found
    module, function = names.rework.split(":")
    reworked: dict[str, Tensor] = getattr(importlib.import_module(module), function)(found)
    return reworked


def _renamed(name: str, names: Names) -> str:
    for pattern, instead in names.renamed:
        name = re.sub(pattern, instead, name)
    return name


def _differences(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    shapes = sorted(
        f"{name} {tuple(found[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in wanted.keys() & found.keys()
        if found[name].shape != wanted[name].shape
    )
    parts = {
        "missing": sorted(wanted.keys() - found.keys()),
        "unexpected": sorted(found.keys() - wanted.keys()),
        "of another shape": shapes,
    }
    return [_listed(what, names) for what, names in parts.items() if names]


def _listed(what: str, names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{what}: {', '.join(names[:_LISTED])}{more}"
