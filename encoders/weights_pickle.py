"""Weights in pickles, as ``torch.save`` writes them: opened as tensors only, where allowed.

A pickle is a program. torch's reader of weights runs none of it that makes anything but tensors
(``torch.load``, ``weights_only``), yet a file that cannot hold a program is the better one.
"""

import pickle
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from encoders.encoder import EncoderError
from encoders.fetched import WeightsFile

_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
_WRAPPINGS = ("state_dict", "model_state_dict", "model")
"""Under which training programs keep the weights beside optimizer and epoch."""

# what torch's readers raise for a damaged file, depending on where the damage is
_DAMAGE = (
    RuntimeError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    AssertionError,
    struct.error,
)


def is_pickled(path: Path) -> bool:
    """Whether a file is a pickle, or the zip of one: by its first bytes, whatever its name.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(9)
    # safetensors: eight bytes of length, which may begin as a pickle does, then JSON
    return head[8:] != b"{" and head.startswith((_ZIP, _PICKLE))


def read_pickle(file: WeightsFile) -> dict[str, Tensor]:
    """The tensors of a pickle, by name; whatever else it holds is passed over.

    Raises:
        EncoderError: pickles are not allowed, or this one is damaged, holds programs or no tensor.
        OSError: the file cannot be read.
    """
    if not file.pickle_allowed:
        raise EncoderError(
            f"weights file {file.path} is no whole safetensors file but a pickle, which can hold "
            f"programs: `likeness encoders convert {file.path} NEW.safetensors` makes a file that "
            "cannot; or set encoder.allow_pickle = true to have it opened as tensors only"
        )
    tensors = {
        name: value.detach()
        for name, value in _unwrapped(_opened(file.path)).items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }
    if not tensors:
        raise EncoderError(f"weights file {file.path} holds no named tensors")
    return tensors


def _opened(path: Path) -> object:
    with path.open("rb") as file:
        mapped = file.read(len(_ZIP)) == _ZIP  # torch can map a zip, and only that
    try:
        with warnings.catch_warnings():
            # of protocols that it may not know whole; what it does not know it refuses
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            held: object = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        reason = str(error).split("Please file an issue")[0].splitlines()
        said = next((line.strip() for line in reason if "GLOBAL" in line), "it is damaged")
        raise EncoderError(f"weights file {path} is not opened: {said}") from error
    except _DAMAGE as error:
        raise EncoderError(f"weights file {path} is no whole pickle of torch ({error})") from error
    return held


def _unwrapped(held: object) -> Mapping[object, object]:
    if not isinstance(held, Mapping):
        return {}
    for key in _WRAPPINGS:
        if isinstance(held.get(key), Mapping):
            return _unwrapped(held[key])
    return held
