"""A recipe on a collection, from images to an encoder folder with its figures and its card."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders import registry
from encoders.encoder import EncoderOptions
from encoders.folders.naming import PREFIX
from encoders.folders.told import Told
from encoders.folders.writing import write_card
from encoders.training.loop import History, Progress
from encoders.training.recipe import Recipe, read_recipe
from encoders.training.training import CHECKPOINTS, Wanted, stamp_of, train, versions, write
from evaluation.collection import Collection
from evaluation.learning.card import card
from evaluation.learning.examples import examples_of
from evaluation.learning.judged import Judged, judged
from evaluation.systems.images import read_picture

PARTS = "parts"
"""Below a folder: the encoders that it is made of, where they were trained for it."""
Shown = Callable[[str], Progress]
"""From what is done to whom it is told how far it is."""


@dataclass(frozen=True)
class Asked:
    """What is asked of a recipe.

    Attributes:
        recipe: as it is to be run.
        collection: the images.
        data: where they are from, as the user named it.
        command: the command line; empty where there is none.
        smoke: whether what it is made of is trained at the smallest scale too.
        shown: tells how far it is.
    """

    recipe: Recipe
    collection: Collection
    data: str
    command: str
    smoke: bool
    shown: Shown


@dataclass(frozen=True)
class Product:
    """What came of it.

    Attributes:
        folder: of the encoder.
        told: its declaration.
        history: the figures of each epoch.
        epoch: that was kept, from 1; 0 where nothing was learned.
        why: it ended.
        fault: what went wrong, while the last good epoch was kept; empty where nothing did.
        judged: its figures on the test images; None where there are none.
    """

    folder: Path
    told: Told
    history: History
    epoch: int
    why: str
    fault: str
    judged: Judged | None


def product_of(asked: Asked, folder: Path, wanted: Wanted) -> Product:
    """Train, or go on with it, and write the folder; what it is made of is trained first.

    Args:
        asked: what is trained on what.
        folder: to be written into.
        wanted: how; its checkpoints' folder and stamp are set here.

    Raises:
        TrainingError: it cannot be trained so.
        CollectionError: the images do not serve.
        EncoderError: the network cannot be built, or its folder not be loaded.
        OSError: the folder cannot be written.
    """
    recipe = asked.recipe
    needed = _needed(asked, folder, wanted)
    examples = examples_of(asked.collection, recipe.targets)
    run = replace(wanted.run, folder=folder / CHECKPOINTS, progress=asked.shown(recipe.name))
    wanted = replace(wanted, needed=needed, run=run)
    wanted = replace(wanted, run=replace(run, stamp=stamp_of(recipe, examples, wanted)))
    trained = train(recipe, examples, _read, wanted)
    told = write(trained, folder, _made(asked, wanted))
    encoder = registry.create(f"{PREFIX}{folder}", EncoderOptions(device="cpu"))
    figures = judged(recipe, trained, encoder, _read, folder)
    write_card(folder, card(recipe, told, trained, figures, asked.data))
    ended = trained.ended
    if ended is None:
        return Product(folder, told, (), 0, "put together, nothing to learn", "", figures)
    return Product(folder, told, ended.history, ended.epoch, ended.why, ended.fault, figures)


def _read(path: Path) -> NDArray[np.float32]:
    return read_picture(path).pixels


def _needed(asked: Asked, folder: Path, wanted: Wanted) -> Mapping[str, Path]:
    found = dict(wanted.needed)
    for one in asked.recipe.needs:
        if one.recipe not in found:
            part = read_recipe(one.recipe)
            part = part.at_smoke_scale() if asked.smoke else part
            below = folder / PARTS / one.recipe
            found[one.recipe] = product_of(replace(asked, recipe=part), below, wanted).folder
    return found


def _made(asked: Asked, wanted: Wanted) -> dict[str, str]:
    recipe = asked.recipe
    told = {
        "recipe": f"{recipe.name} ({recipe.digest}){', at smoke scale' * asked.smoke}",
        "source": recipe.source,
        "seed": str(wanted.run.seed),
        "precision": wanted.run.precision,
        "init": str(wanted.init or "random weights"),
        **{f"version of {name}": number for name, number in versions().items()},
    }
    told |= {f"made of {name}": str(path) for name, path in wanted.needed.items()}
    return told | ({"command": asked.command} if asked.command else {})
