"""What a weights file of the site's own says of itself, in place of what the declaration says."""

import dataclasses
import math

from encoders.declaration import Declaration, OwnFile
from encoders.encoder import EncoderError
from encoders.preprocessing import Preprocessing
from encoders.weights import Weights


def as_told(declaration: Declaration, weights: Weights) -> Declaration:
    """The declaration with what a file of the site's own says in its metadata.

    That is ``mean`` and ``std`` (one number, or one per channel, parted by commas) and, where the
    network is built for what the file says, ``size`` in pixels and ``channels``, 1 or 3.

    Raises:
        EncoderError: a number cannot be meant, or the network has no choice of size or channels.
    """
    if not isinstance(declaration.source, OwnFile):
        return declaration
    asked = preprocessing_of(declaration)
    _refuse_what_is_fixed(declaration, weights)
    channels = _channels(weights, asked.channels)
    size = _numbers(weights, "size", (float(asked.size),), 1)[0]
    mean = _numbers(weights, "mean", asked.mean, channels)
    std = _numbers(weights, "std", asked.std, channels)
    if not (32 <= size <= 1024 and size.is_integer() and min(std) > 0):
        raise EncoderError(
            f"weights file {weights.path}: metadata asks for size {size:g} and std {std}; "
            "size must be a whole number from 32 to 1024, std above 0"
        )
    to = None if asked.resize_to is None else round(asked.resize_to * size / asked.size)
    told = dataclasses.replace(asked, size=int(size), resize_to=to, mean=mean, std=std)
    config = dict(declaration.config)
    if "in_channels" in config:
        config["in_channels"] = channels
    if "img_size" in config:  # a transformer has a position for each patch
        config["img_size"] = int(size)
    return dataclasses.replace(declaration, preprocessing=told, config=config)


def preprocessing_of(declaration: Declaration) -> Preprocessing:
    """What the network was trained to see.

    Raises:
        EncoderError: the declaration does not say.
    """
    if declaration.preprocessing is None:
        raise EncoderError(f"{declaration.name} declares no preprocessing")
    return declaration.preprocessing


def _refuse_what_is_fixed(declaration: Declaration, weights: Weights) -> None:
    if "in_channels" in declaration.config:
        return
    for key in weights.metadata.keys() & {"size", "channels"}:
        raise EncoderError(
            f"weights file {weights.path}: metadata gives {key}, but {declaration.name} is of one "
            f"size with fixed channels; save the file without {key!r}"
        )


def _channels(weights: Weights, default: int) -> int:
    told = _numbers(weights, "channels", (float(default),), 1)[0]
    if told not in (1, 3):
        raise EncoderError(
            f"weights file {weights.path}: metadata asks for {told:g} channels; 1 or 3 are possible"
        )
    return int(told)


def _numbers(
    weights: Weights, key: str, default: tuple[float, ...], count: int
) -> tuple[float, ...]:
    written = weights.metadata.get(key)
    try:
        parts = default if written is None else tuple(map(float, written.strip("[]() ").split(",")))
    except ValueError:
        parts = ()
    found = parts * count if len(parts) == 1 else parts
    if written is None and len(found) != count:
        found = default[:1] * count
    if len(found) != count or not all(map(math.isfinite, found)):
        raise EncoderError(
            f"weights file {weights.path}: metadata {key} is {str(written)[:40]!r}, "
            f"not {count} numbers"
        )
    return found
