"""The encoders that Likeness knows, by name, and the one way to make one."""

import difflib
import importlib
import os

from encoders import extras
from encoders.catalogue import (
    baseline,
    biomedclip,
    monai_nets,
    named,
    own,
    precomputed,
    transformers_nets,
    xrv_nets,
)
from encoders.catalogue.named import Form
from encoders.checked import CheckedEncoder
from encoders.declaration import Declaration
from encoders.encoder import EncoderError, EncoderOptions
from encoders.fetched import lack_of_weights

_FAMILIES = (
    baseline,
    biomedclip,
    monai_nets,
    own,
    precomputed,
    transformers_nets,
    xrv_nets,
)

_DECLARED: dict[str, Declaration] = {
    declaration.name: declaration for family in _FAMILIES for declaration in family.DECLARATIONS
}


def declarations() -> tuple[Declaration, ...]:
    """All declared encoders, by name."""
    return tuple(_DECLARED[name] for name in sorted(_DECLARED))


def forms() -> tuple[Form, ...]:
    """The ways of naming encoders that are declared only when they are asked for."""
    return named.FORMS


def find(name: str) -> Declaration:
    """The declaration of that name; one of a form such as ``timm:NAME`` imports its library.

    Raises:
        EncoderError: there is none, and the message names the nearest; or a library is missing.
    """
    found = _DECLARED.get(name) or named.declared(name)
    if found is not None:
        return found
    near = difflib.get_close_matches(name, _DECLARED)
    remedy = f"did you mean {', '.join(near)}?" if near else "`likeness encoders list` shows all"
    raise EncoderError(f"there is no encoder {name!r}; {remedy}")


def missing(declaration: Declaration, options: EncoderOptions | None = None) -> list[str]:
    """What this machine lacks to make the encoder, each with how to get it.

    Nothing is imported for it: a package that is here and broken shows itself in ``make``.
    """
    lacks = [
        extras.lack_of(package, wanted)
        for package, wanted in declaration.packages.items()
        if extras.absent(package)
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
    # Read when torch is loaded. Its threads wait at each layer for one whose core is taken, and
    # would else spin there, on the cores that the decoders need (docs/benchmarks.md).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for package, wanted in declaration.packages.items():
        extras.imported(package, wanted)
    # imported only now: to list encoders needs no torch
    maker = "encoders.torch_encoder:load" if declaration.preprocessing else declaration.network
    module, function = maker.split(":")
    made = getattr(importlib.import_module(module), function)(declaration, options)
    return CheckedEncoder(made)
