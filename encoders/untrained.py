"""Declared networks with random weights: what an architecture is worth before it has learned.

A reference for evaluations. Nothing of a site is embedded with them: the settings do not name them.
"""

import dataclasses
import hashlib
from queue import SimpleQueue

import torch

from encoders import extras
from encoders.as_told import preprocessing_of
from encoders.checked import CheckedEncoder
from encoders.declaration import Declaration
from encoders.devices import devices_of
from encoders.encoder import EncoderError, EncoderOptions
from encoders.lane import Lane
from encoders.lanes import check, lanes_of
from encoders.torch_encoder import TorchEncoder, build, space_of
from encoders.torch_process import settle
from encoders.transforms import transforms_of


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
    network.eval()
    asked = preprocessing_of(declaration)
    lanes = lanes_of(network, (asked.channels, asked.size, asked.size), devices, options)
    free: SimpleQueue[Lane] = SimpleQueue()
    for lane in lanes:
        free.put(lane)
    digest = hashlib.sha256(f"random weights {seed}; torch {torch.__version__}".encode())
    space = space_of(declaration, digest.hexdigest(), options.precision)
    named = dataclasses.replace(space, encoder=f"random:{declaration.name}:{seed}")
    return CheckedEncoder(
        TorchEncoder(
            space=named,
            transform=transforms_of(asked),
            batch=options.batch,
            lanes=len(lanes),
            free=free,
            made_for=declaration.is_made_for,
            of_regions=bool(asked.regions),
            with_descriptor=asked.descriptor,
        )
    )
