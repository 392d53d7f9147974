"""How good an encoder is on images that it did not see: what it finds, and what its head says."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch.utils.data import DataLoader

from encoders.checked import CheckedEncoder
from encoders.training.augmentation import augmentation_of
from encoders.training.examples import Examples
from encoders.training.judging import JUDGES
from encoders.training.reading import Images, Read
from encoders.training.recipe import Augmentation, Recipe, Targets
from encoders.training.splitting import TEST, TRAIN, VALIDATION, Split
from encoders.training.training import Trained, outputs_of
from evaluation.collection import NEGATIVE, POSITIVE, UNSAID, Collection
from evaluation.evaluating import Row, System, judge, of_the_whole
from evaluation.systems.embedding import Progress, embed, quiet
from evaluation.tasks import Rules, Task, any_label, as_near, one_class

_OF_AIM = {"label": ("auc", "f1"), "labels": ("auc", "f1"), "number": ("mae",), "class": ()}
"""What a head is judged by."""
_BATCH = 32
_TARGET = "target"


@dataclass(frozen=True)
class Judged:
    """Figures of an encoder on the test images of its run.

    Attributes:
        says: what is relevant, in words.
        rows: retrieval, over the whole; test images ask, all images of other patients answer.
        told: of the head, by measure; NaN where nobody can tell.
    """

    says: str
    rows: tuple[Row, ...]
    told: tuple[tuple[str, float], ...]


def judged(
    recipe: Recipe,
    trained: Trained,
    encoder: CheckedEncoder,
    read: Read,
    folder: Path,
    progress: Progress = quiet,
) -> Judged | None:
    """The figures; None where the run kept no test images.

    Args:
        recipe: of the run.
        trained: what came of it.
        encoder: loaded from its folder, as a node has it.
        read: from a file to gray levels.
        folder: where vectors are kept.
        progress: is told how many images are embedded.

    Raises:
        CollectionError: an image cannot be embedded, or nothing can be asked of the images.
    """
    if not len(trained.split.test):
        return None
    collection = collection_of(trained.examples, trained.split, recipe.targets)
    task = _task(collection, recipe.targets)
    rules = Rules(query_splits=(TEST,))
    system = System(recipe.name, embed(collection, encoder, folder, progress))
    rows = of_the_whole(judge(system, task, collection, rules).rows)
    return Judged(task.says, rows, tuple(_told(recipe, trained, read)))


def collection_of(examples: Examples, split: Split, asked: Targets) -> Collection:
    """The examples as a collection, with the splits of a run."""
    splits = np.full(len(examples), "", "<U5")
    for name, places in ((TRAIN, split.train), (VALIDATION, split.validation), (TEST, split.test)):
        splits[places] = name
    positive = np.where(examples.targets > 0.5, POSITIVE, NEGATIVE)
    states = np.where(examples.known, positive, UNSAID).astype(np.int8)
    values = {}
    if asked.aim in {"class", "label"}:
        names = np.array([*examples.outputs, f"no {examples.outputs[0]}"])
        at = examples.targets.argmax(axis=1)
        values[_TARGET] = names[np.where(examples.targets.any(axis=1), at, len(names) - 1)]
    numbers = {}
    if asked.aim == "number":
        numbers[examples.outputs[0]] = examples.targets[:, 0].astype(np.float64)
    labels = asked.aim == "labels"
    return Collection(
        name=examples.name,
        ids=examples.ids,
        patients=examples.patients,
        label_names=examples.outputs if labels else (),
        states=states if labels else np.empty((len(examples), 0), np.int8),
        attributes=values,
        numbers=numbers,
        splits=tuple(splits.tolist()),
        paths=examples.paths,
        boxes=examples.boxes,
    )


def _task(collection: Collection, asked: Targets) -> Task:
    if asked.aim == "labels":
        return any_label(collection, np.arange(len(collection)), "ignore")
    if asked.aim == "number":
        name = next(iter(collection.numbers))
        spread = float(np.ptp(collection.numbers[name])) or 1.0
        return as_near(collection, name, spread, asked.bins)
    return one_class(collection, _TARGET)


def _told(recipe: Recipe, trained: Trained, read: Read) -> Iterator[tuple[str, float]]:
    """Yield each measure of the head on the test images."""
    names = _OF_AIM[recipe.targets.aim]
    if not names or not list(trained.head.parameters()):
        return
    test = trained.examples.take(trained.split.test)
    plain = augmentation_of(Augmentation(), recipe.preprocessing.size)
    images = Images(test, read, recipe.preprocessing, plain, 0)
    outputs = outputs_of(trained, DataLoader(images, batch_size=_BATCH)).numpy()
    for name in names:
        yield name, JUDGES[name](outputs, test.targets, test.known)
