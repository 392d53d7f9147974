"""The encoders that Likeness knows, by name, and the one way to make one."""

import difflib
import importlib
import importlib.util

from encoders.catalogue import baseline, monai_nets, named, transformers_nets
from encoders.checked import CheckedEncoder
from encoders.declaration import Declaration
from encoders.encoder import EncoderError, EncoderOptions
from encoders.fetched import lack_of_weights

_DECLARED: dict[str, Declaration] = {
    declaration.name: declaration
    for family in (baseline, monai_nets, named, transformers_nets)
    for declaration in family.DECLARATIONS
}


def declarations() -> tuple[Declaration, ...]:
    """All declared encoders, by name."""
    return tuple(_DECLARED[name] for name in sorted(_DECLARED))


def find(name: str) -> Declaration:
    """The declaration of that name.

    Raises:
        EncoderError: there is none; the message names the nearest.
    """
    if name in _DECLARED:
        return _DECLARED[name]
    near = difflib.get_close_matches(name, _DECLARED) or sorted(_DECLARED)
    raise EncoderError(f"there is no encoder {name!r}; did you mean {', '.join(near)}?")


def missing(declaration: Declaration, options: EncoderOptions | None = None) -> list[str]:
    """What this machine lacks to make the encoder, each with how to get it."""
    lacks = [
        f"package {package} (pip install {wanted!r})"
        for package, wanted in declaration.packages.items()
        if importlib.util.find_spec(package) is None
    ]
    weights = lack_of_weights(declaration, options or EncoderOptions())
    return lacks if weights is None else [*lacks, weights]


def create(name: str, options: EncoderOptions | None = None) -> CheckedEncoder:
    """Make an encoder; this loads its weights.

    Raises:
        EncoderError: the name is unknown, something it needs is missing, or it cannot load.
    """
    return make(find(name), options or EncoderOptions())


def make(declaration: Declaration, options: EncoderOptions) -> CheckedEncoder:
    """Make the encoder of a declaration, in the registry or not.

    Raises:
        EncoderError: something it needs is missing, or it cannot load.
    """
    lacks = missing(declaration, options)
    if lacks:
        raise EncoderError(f"encoder {declaration.name} lacks {'; '.join(lacks)}")
    # imported only now: to list encoders needs no torch
    maker = "encoders.torch_encoder:load" if declaration.preprocessing else declaration.network
    module, function = maker.split(":")
    made = getattr(importlib.import_module(module), function)(declaration, options)
    return CheckedEncoder(made)
