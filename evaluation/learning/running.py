"""A recipe on a collection, from images to an encoder folder with its figures and its card."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders import registry
from encoders.encoder import EncoderOptions
from encoders.folders.naming import PREFIX
from encoders.folders.told import Told
from encoders.folders.writing import write_card
from encoders.training.beginning import part_told
from encoders.training.examples import Examples
from encoders.training.fault import TrainingError
from encoders.training.loop import History, Progress
from encoders.training.passing_on import Values, passed_on
from encoders.training.recipe import Recipe
from encoders.training.recipe_files import read_recipe
from encoders.training.training import (
    CHECKPOINTS,
    Trained,
    Wanted,
    asked_of,
    stamp_of,
    train,
    versions,
    write,
)
from evaluation.collection import Collection
from evaluation.learning.card import card
from evaluation.learning.examples import examples_of
from evaluation.learning.judged import Judged, judged
from evaluation.readers.teacher import Teacher
from evaluation.systems.images import read_picture

PARTS = "parts"
"""Below a folder: the encoders that it is made of, where they were trained for it."""
Shown = Callable[[str], Progress]
"""From what is done to whom it is told how far it is."""


@dataclass(frozen=True)
class Asked:
    """What is asked of a recipe.

    Attributes:
        recipe: as it is declared, or as it is at smoke scale.
        collection: the images.
        data: where they are from, as the user named it.
        command: the command line; empty where there is none.
        smoke: whether what it is made of is trained at the smallest scale too.
        shown: tells how far it is.
        teacher: what another network says of the images; None where nobody asked it.
        own: values that the user wants otherwise, by table and name.
    """

    recipe: Recipe
    collection: Collection
    data: str
    command: str
    smoke: bool
    shown: Shown
    teacher: Teacher | None = None
    own: Values = field(default_factory=dict)

    @property
    def changed(self) -> Recipe:
        """The recipe as it is to be run.

        Raises:
            TrainingError: a value is none of it.
        """
        return self.recipe.changed(self.own)


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
    recipe = asked.changed
    _must_be_of_use(recipe, wanted, asked.teacher)
    examples = examples_of(asked.collection, recipe.targets, asked.teacher)
    needed = _needed(asked, recipe, examples, folder, wanted)
    run = replace(wanted.run, folder=folder / CHECKPOINTS, progress=asked.shown(recipe.name))
    of_the_user, wanted = wanted.needed, replace(wanted, needed=needed, run=run)
    wanted = replace(wanted, run=replace(run, stamp=stamp_of(recipe, examples, wanted)))
    trained = train(recipe, examples, _read, wanted)
    told = write(trained, folder, _made(asked, wanted, trained))
    encoder = registry.create(f"{PREFIX}{folder}", EncoderOptions(device="cpu"))
    figures = judged(recipe, trained, encoder, _read, folder)
    given = tuple(one.recipe for one in recipe.needs if one.recipe in of_the_user)
    write_card(folder, card(recipe, told, trained, figures, asked.data, given))
    ended = trained.ended
    if ended is None:
        return Product(folder, told, (), 0, "put together, nothing to learn", "", figures)
    return Product(folder, told, ended.history, ended.epoch, ended.why, ended.fault, figures)


def _read(path: Path) -> NDArray[np.float32]:
    return read_picture(path).pixels


def _must_be_of_use(recipe: Recipe, wanted: Wanted, teacher: Teacher | None) -> None:
    """Refuses what was given and would change nothing, or would make figures untrue."""
    wants = {one.recipe for one in recipe.needs}
    if unknown := sorted(wanted.needed.keys() - wants):
        raise TrainingError(
            f"recipe {recipe.name} is made of {', '.join(sorted(wants)) or 'no other'}, and not of "
            f"{', '.join(unknown)}: leave --part out"
        )
    if teacher is not None and not _learns_of_a_teacher(recipe):
        raise TrainingError(f"recipe {recipe.name} learns of no teacher: leave --teacher out")
    if wanted.needed and wanted.fold is not None:
        raise TrainingError(
            "a part that was trained before has learned patients of every fold: leave --part out, "
            "and parts are trained fold by fold"
        )
    if wanted.init and wants and not recipe.network.init_into and wants <= wanted.needed.keys():
        raise TrainingError(
            f"recipe {recipe.name} is made of {', '.join(sorted(wants))}, which are there: "
            "nothing is left to begin with --init"
        )


def _learns_of_a_teacher(recipe: Recipe) -> bool:
    if recipe.targets.teacher:
        return True
    return any(read_recipe(one.recipe).targets.teacher for one in recipe.needs)


def _needed(
    asked: Asked, recipe: Recipe, examples: Examples, folder: Path, wanted: Wanted
) -> Mapping[str, Path]:
    """The encoders that it is made of, trained where they are not given.

    None of them learns who is asked about the whole in the end.
    """
    found = dict(wanted.needed)
    missing = [one.recipe for one in recipe.needs if one.recipe not in found]
    if not missing:
        return found
    apart = replace(wanted, needed={}, kept=asked_of(recipe, examples, wanted))
    # all are looked at before the first is trained, which may take hours
    for name, of_part in {name: _of_part(asked, name) for name in missing}.items():
        found[name] = product_of(of_part, folder / PARTS / name, apart).folder
    return found


def _of_part(asked: Asked, name: str) -> Asked:
    """What is asked of a recipe that another is made of."""
    part = read_recipe(name)
    part = part.at_smoke_scale() if asked.smoke else part
    own = passed_on(asked.own, asked.recipe, part)
    return replace(
        asked, recipe=part, own=own, teacher=asked.teacher if part.targets.teacher else None
    )


def _made(asked: Asked, wanted: Wanted, trained: Trained) -> dict[str, str]:
    recipe = asked.changed
    told = {
        "recipe": f"{recipe.name} ({recipe.digest}){', at smoke scale' * asked.smoke}",
        "source": recipe.source,
        "split": trained.split.rule,
        "seed": str(wanted.run.seed),
        "precision": wanted.run.precision,
        "init": str(wanted.init or "random weights"),
        **{f"version of {name}": number for name, number in versions().items()},
    }
    for name, path in wanted.needed.items():
        part = part_told(name, path)
        by = part.made.get("recipe", name)
        told[f"made of {name}"] = f"{by}, weights {part.weights_sha256[:16]}"
    return told | ({"command": asked.command} if asked.command else {})
