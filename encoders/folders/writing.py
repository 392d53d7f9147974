"""An encoder folder, written whole or not at all."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor, nn

from encoders.durable import write_durably
from encoders.folders.told import CARD, HEAD, TOLD, WEIGHTS, Told
from encoders.networks.pooled import PooledNetwork


def tensors_of(network: PooledNetwork, head: nn.Module | None = None) -> dict[str, Tensor]:
    """The tensors of a folder: the body's by their own names, the head's behind ``head.``.

    Raises:
        ValueError: the body has such names too, by which a folder knows what it needs not.
    """
    if taken := [name for name in network.body.state_dict() if name.startswith(HEAD)]:
        raise ValueError(f"the network's own tensors have names of a head's: {', '.join(taken)}")
    beside = {} if head is None else head.state_dict()
    found = {**network.body.state_dict(), **{HEAD + name: one for name, one in beside.items()}}
    return {name: one.detach().cpu().contiguous().clone() for name, one in found.items()}


def write_weights(folder: Path, tensors: Mapping[str, Tensor]) -> str:
    """The weights file; returns its SHA-256.

    Raises:
        OSError: it cannot be written.
    """
    content = save(dict(tensors))
    write_file(folder / WEIGHTS, content)
    return hashlib.sha256(content).hexdigest()


def write_told(folder: Path, told: Told) -> None:
    """The declaration; after the weights, for it tells their digest.

    Raises:
        OSError: it cannot be written.
    """
    write_file(folder / TOLD, (told.model_dump_json(indent=2) + "\n").encode())


def write_card(folder: Path, text: str) -> None:
    """The model card.

    Raises:
        OSError: it cannot be written.
    """
    write_file(folder / CARD, text.encode())


def write_file(path: Path, content: bytes) -> None:
    """Write a file of which nobody ever sees half under its name.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, content)
