"""The networks that files may name: recipes, and the declarations of encoder folders.

A file names one of these, and never code: what came from elsewhere must not choose what is run.
"""

import difflib
import importlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from encoders.encoder import EncoderError

if TYPE_CHECKING:  # to read what a folder declares needs no torch
    from encoders.networks.pooled import PooledNetwork

Build = Callable[[Mapping[str, Any], str], "PooledNetwork"]
"""From ``config`` and ``pooling`` to a network with random weights."""

NETWORKS: Mapping[str, str] = MappingProxyType(
    {
        "densenet121": "encoders.networks.monai_nets:densenet121",
        "resnet50": "encoders.networks.monai_nets:resnet50",
        "vit": "encoders.networks.monai_nets:vit",
        "densenet121 with attention": "encoders.networks.attention:densenet121_attention",
        "densenet121 on maps": "encoders.networks.saliency_nets:densenet121_on_maps",
        "small resnet": "encoders.networks.small_resnet:small_resnet",
        "descriptor perceptron": "encoders.networks.descriptor_perceptron:descriptor_perceptron",
        "beside the descriptor": "encoders.networks.beside_descriptor:beside_descriptor",
        "ensemble": "encoders.networks.ensemble:ensemble",
        "hash net": "encoders.networks.hashing:hash_net",
        "region graph": "encoders.networks.region_graph:region_graph",
        "anaxnet": "encoders.networks.anaxnet:anaxnet",
    }
)
"""By name, ``module:function``."""
_OF_PARAMETERS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What libraries raise of parameters that they cannot use; a file may say anything."""


def place_of(name: str) -> str:
    """Where the builder of that name is, ``module:function``.

    Raises:
        EncoderError: there is none.
    """
    found = NETWORKS.get(name)
    if found is None:
        near = ", ".join(difflib.get_close_matches(name, NETWORKS) or NETWORKS)
        raise EncoderError(f"there is no network {name!r}; there are {near}")
    return found


def build(name: str, config: Mapping[str, Any], pooling: str) -> "PooledNetwork":
    """The network of that name, with random weights.

    Raises:
        EncoderError: there is none, or it cannot be built with these parameters.
    """
    return built(name, place_of(name), config, pooling)


def built(name: str, place: str, config: Mapping[str, Any], pooling: str) -> "PooledNetwork":
    """The network that a builder makes, with random weights.

    Args:
        name: of it, for people.
        place: of the builder, ``module:function``; from ``place_of`` or from the registry, never
            from a file.
        config: its parameters.
        pooling: how its last map becomes a vector.

    Raises:
        EncoderError: it cannot be built with these parameters.
    """
    module, function = place.split(":")
    make: Build = getattr(importlib.import_module(module), function)
    try:
        return make(config, pooling)
    except _OF_PARAMETERS as fault:
        said = f"{type(fault).__name__}: {fault}"
        raise EncoderError(f"network {name}: {said}; look at its config") from fault
