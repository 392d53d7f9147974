"""Encoder folders of the small network of training, without any training."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from encoders.folders.told import TOLD
from encoders.networks.known import build
from encoders.training.heads import head_of
from encoders.training.recipe import Recipe
from encoders.training.splitting import by_patient
from encoders.training.training import Trained, write
from tests.encoders.training.small import examples, recipe


def folder(place: Path, asked: Recipe | None = None, seed: int = 0, **made: Any) -> Path:
    """A folder with random weights."""
    asked = asked or recipe()
    network = asked.network
    torch.manual_seed(seed)
    built = build(network.builder, network.config, network.pooling)
    shown = replace(examples(12), outputs=asked.targets.names or ("bright",))
    head = head_of(network.head, built, network.dimension, 1)
    trained = Trained(asked, shown, by_patient(shown, (1, 0, 0), 0), None, built, head)
    write(trained, place, made)
    return place


def change(place: Path, *keys: str, to: Any) -> None:
    """Another value in a folder's declaration, by the keys that lead to it."""
    told = json.loads((place / TOLD).read_text())
    inner = told
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = to
    (place / TOLD).write_text(json.dumps(told))


def without(place: Path, key: str) -> None:
    """The declaration lacks a key."""
    told = json.loads((place / TOLD).read_text())
    del told[key]
    (place / TOLD).write_text(json.dumps(told))
