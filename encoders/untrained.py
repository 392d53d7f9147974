"""Declared networks with random weights: what an architecture is worth before it has learned.

A reference for evaluations. Nothing of a site is embedded with them: the settings do not name them.
"""

import dataclasses
import hashlib

import torch

from encoders import extras
from encoders.checked import CheckedEncoder
from encoders.declaration import Declaration
from encoders.devices import devices_of
from encoders.encoder import EncoderError, EncoderOptions
from encoders.lanes import check
from encoders.torch_encoder import build, on_devices, space_of
from encoders.torch_process import settle


def untrained(declaration: Declaration, options: EncoderOptions, seed: int) -> CheckedEncoder:
    """The declared network with the random weights of a seed, as its library initialises it.

    Raises:
        EncoderError: it is no network of torch, or a package that it needs is missing.
    """
    if declaration.preprocessing is None:
        raise EncoderError(f"{declaration.name} has no weights that could be random")
    for package, wanted in declaration.packages.items():
        extras.imported(package, wanted)
    devices = devices_of(options.device)
    check(options, devices)
    settle(options, devices)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(declaration)
    digest = hashlib.sha256(f"random weights {seed}; torch {torch.__version__}".encode())
    space = space_of(declaration, digest.hexdigest(), options.precision)
    named = dataclasses.replace(space, encoder=f"random:{declaration.name}:{seed}")
    return CheckedEncoder(on_devices(network, declaration, named, devices, options))
