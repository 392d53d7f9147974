"""Encoders that are named with what they load, such as ``timm:convnext_tiny.in12k_ft_in1k``.

Their declarations are made from the name by the library that knows them, which imports torch, or
read of a folder: so only when one is asked for, never to list encoders.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from encoders.declaration import Declaration


@dataclass(frozen=True)
class Form:
    """A way of naming encoders.

    Attributes:
        prefix: what such names begin with.
        pattern: the whole name, for people.
        summary: one line for people.
        declare: ``module:function`` from the name to its ``Declaration``.
        packages: import names of what it needs, and what to install for each.
    """

    prefix: str
    pattern: str
    summary: str
    declare: str
    packages: Mapping[str, str] = field(default_factory=dict)


_EXTRA = "likeness-node[timm]"

FORMS = (
    Form(
        prefix="folder:",
        pattern="folder:PATH",
        summary="an encoder that `likeness train` made",
        declare="encoders.folders.naming:declare",
    ),
    Form(
        prefix="timm:",
        pattern="timm:ARCHITECTURE.TAG",
        summary="any network that timm names; without TAG, with weights of your own",
        declare="encoders.networks.timm_nets:declare",
        packages={"timm": _EXTRA, "torchvision": _EXTRA},
    ),
    Form(
        prefix="open_clip:",
        pattern="open_clip:MODEL/PRETRAINED or open_clip:hf-hub:REPOSITORY",
        summary="the image tower of any model that open_clip names",
        declare="encoders.networks.open_clip_nets:declare",
        packages={"open_clip": _EXTRA, "torchvision": _EXTRA},
    ),
)


def declared(name: str) -> Declaration | None:
    """The declaration that a name of one of these forms stands for; None for other names.

    Raises:
        EncoderError: the library cannot be imported or knows no such network, or the folder is
            none of an encoder.
    """
    for form in FORMS:
        if name.startswith(form.prefix):
            module, function = form.declare.split(":")
            found: Declaration = getattr(importlib.import_module(module), function)(name)
            return found
    return None
