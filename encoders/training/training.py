"""A recipe is run on examples: parted, built, trained, and its encoder folder written."""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from encoders.fetched import sha256_of
from encoders.folders.told import Told
from encoders.folders.writing import tensors_of, write_told, write_weights
from encoders.networks.known import build
from encoders.networks.pooled import PooledNetwork
from encoders.training import splitting
from encoders.training.beginning import begin, part_told
from encoders.training.examples import Examples
from encoders.training.fault import TrainingError
from encoders.training.feeding import Feed, as_tensors, must_be_trainable, plainly
from encoders.training.fitting import must_fit
from encoders.training.heads import head_of
from encoders.training.learner import Learner, Trainee
from encoders.training.loop import Ended, Run, run
from encoders.training.losses import loss_of
from encoders.training.neighbours import with_neighbours
from encoders.training.reading import Read
from encoders.training.recipe import Recipe, SplitBy
from encoders.training.sampling import undersampled
from encoders.training.splitting import Split

CHECKPOINTS = "checkpoints"
_LIBRARIES = ("torch", "monai", "pytorch-lightning", "numpy")


@dataclass(frozen=True)
class Wanted:
    """How a recipe is to be run.

    Attributes:
        run: folder of the checkpoints, seed, device, precision, progress.
        split: who is kept apart.
        fold: which of how many folds of patients is the test; None for the recipe's parts.
        init: weights that the network begins with; None for random ones.
        needed: folders of the encoders that it is made of, by recipe.
        kept: who is not learned, nor chooses the epoch, whatever the lot says: patients, or images
            where ``split`` parts these. A network that is made of this one is asked about them.
    """

    run: Run
    split: SplitBy = "patient"
    fold: tuple[int, int] | None = None
    init: Path | None = None
    needed: Mapping[str, Path] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Trained:
    """What came of it.

    Attributes:
        recipe: as it was run, with what it took from the images.
        examples: those that took part, of which ``split`` tells the places.
        split: who was learned, who chose, who is asked.
        ended: how the loop ended; None where nothing had to be learned.
        network: as it was chosen, on the CPU.
        head: what stood on it.
    """

    recipe: Recipe
    examples: Examples
    split: Split
    ended: Ended | None
    network: PooledNetwork
    head: nn.Module


def train(recipe: Recipe, examples: Examples, read: Read, wanted: Wanted) -> Trained:
    """Train a recipe's network, or go on where a stopped run was.

    Args:
        recipe: what and how.
        examples: all that the data set has for it.
        read: from a file to gray levels.
        wanted: how it is run here.

    Raises:
        TrainingError: it cannot be trained so; the message says what to do.
        EncoderError: the network cannot be built.
    """
    if wanted.run.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("there is no GPU that torch can use (cuda); train without --device")
    asked = _taking_part(recipe, examples, wanted.run.seed)
    split = parted(recipe, asked, wanted)
    recipe = with_neighbours(recipe, asked.take(split.train), read)
    network, head = _built(recipe, asked, wanted)
    if not recipe.schedule.epochs:
        return Trained(recipe, asked, split, None, network, head)
    learned = asked.take(split.train)
    must_be_trainable(learned, recipe)
    feed = Feed(recipe, learned, asked.take(split.validation), read, wanted.run.seed)
    trainee = Trainee(network, head, recipe.network.frozen).train()
    bits = recipe.network.dimension
    numbers = 0 if learned.taught is None else learned.taught.numbers
    loss = loss_of(recipe.loss, recipe.loss_options, *as_tensors(learned), bits, numbers)
    with plainly():
        ended = run(Learner(trainee, loss, feed), recipe, wanted.run)
    trainee.eval().cpu()
    return Trained(recipe, asked, split, ended, network, head)


def parted(recipe: Recipe, examples: Examples, wanted: Wanted) -> Split:
    """Who is learned, who chooses the epoch, who is asked.

    Raises:
        TrainingError: they cannot be parted so.
    """
    found = _apart(_parted(recipe, examples, wanted), examples, wanted)
    most, seed = recipe.schedule.images, wanted.run.seed
    if not most or len(found.train) <= most:
        return found
    some = np.random.default_rng(seed).permutation(found.train)[:most]
    rule = f"{found.rule}; of {len(found.train)} to learn {most} by lot"
    return replace(found, train=np.sort(some), rule=rule)


def _parted(recipe: Recipe, examples: Examples, wanted: Wanted) -> Split:
    seed, parts = wanted.run.seed, recipe.schedule.parts
    if wanted.fold is not None:
        number, folds = wanted.fold
        return splitting.fold(examples, folds, number, seed, parts[1])
    if wanted.split == "official":
        return splitting.official(examples)
    by = splitting.by_image if wanted.split == "image" else splitting.by_patient
    return by(examples, parts, seed)


def asked_of(recipe: Recipe, examples: Examples, wanted: Wanted) -> frozenset[str]:
    """Who is asked at the end, as ``Wanted.kept`` names them.

    Raises:
        TrainingError: they cannot be parted so.
    """
    some = _taking_part(recipe, examples, wanted.run.seed)
    names = _names(some, wanted)
    return wanted.kept | {names[at] for at in parted(recipe, some, wanted).test}


def _apart(found: Split, examples: Examples, wanted: Wanted) -> Split:
    """The split with those that must be kept among its test."""
    if not wanted.kept:
        return found
    kept = np.isin(np.array(_names(examples, wanted)), sorted(wanted.kept))
    rule = f"{found.rule}; and who is asked of the network that is made of this one"
    return Split(
        found.train[~kept[found.train]],
        found.validation[~kept[found.validation]],
        np.union1d(found.test, np.flatnonzero(kept)),
        rule,
    )


def _names(examples: Examples, wanted: Wanted) -> tuple[str, ...]:
    of_images = wanted.split == "image" and wanted.fold is None
    return examples.ids if of_images else examples.patients


def write(trained: Trained, folder: Path, made: Mapping[str, Any]) -> Told:
    """The folder's weights and declaration, to be loaded as ``folder:PATH``.

    Args:
        trained: what came of the run.
        folder: to be written into.
        made: how, for people.

    Raises:
        OSError: it cannot be written.
    """
    digest = write_weights(folder, tensors_of(trained.network, trained.head))
    recipe, network = trained.recipe, trained.recipe.network
    told = Told(
        name=recipe.name,
        summary=recipe.summary,
        network=network.builder,
        config=network.config,
        pooling=network.pooling,
        dimension=network.dimension,
        preprocessing=recipe.preprocessing,
        modalities=recipe.modalities,
        body_regions=recipe.body_regions,
        outputs=trained.examples.all_outputs() if list(trained.head.parameters()) else (),
        licence=LICENCE,
        reference=recipe.source,
        weights_sha256=digest,
        made=dict(made),
    )
    write_told(folder, told)
    return told


LICENCE = "that of the images it was trained on"


def stamp_of(recipe: Recipe, examples: Examples, wanted: Wanted) -> dict[str, str]:
    """What a checkpoint must be of to be gone on with.

    Raises:
        TrainingError: what the network begins with cannot be read.
    """
    told = [examples.ids, examples.patients, examples.outputs, examples.splits]
    data = hashlib.sha256(json.dumps(told).encode())
    data.update(examples.targets.tobytes() + examples.known.tobytes())
    taught = examples.taught
    beside = (None, None) if taught is None else (taught.targets, taught.known)
    for column in (examples.boxes, examples.findings, *beside):
        data.update(b"" if column is None else column.tobytes())
    kept = hashlib.sha256(json.dumps(sorted(wanted.kept)).encode()).hexdigest()[:16]
    parts = [
        f"{one.recipe} {part_told(one.recipe, wanted.needed[one.recipe]).weights_sha256[:16]}"
        for one in recipe.needs
        if one.recipe in wanted.needed
    ]
    rule = wanted.split if wanted.fold is None else "fold {} of {}".format(*wanted.fold)
    return {
        "recipe": f"{recipe.name} {recipe.digest}",
        "images": data.hexdigest()[:16],
        "split": rule,
        "seed": str(wanted.run.seed),
        "precision": wanted.run.precision,
        "init": "" if wanted.init is None else _digest(wanted.init),
        "parts": ", ".join(parts),
        "kept apart": kept if wanted.kept else "",
    }


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)[:16]
    except OSError as fault:
        raise TrainingError(f"--init: {path} cannot be read: {fault.strerror}") from fault


def versions() -> dict[str, str]:
    """Of the libraries that the result depends on."""
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}


def _taking_part(recipe: Recipe, examples: Examples, seed: int) -> Examples:
    if not recipe.targets.undersample:
        return examples
    return examples.take(undersampled(examples.targets[:, 0] > 0.5, seed))


def _built(recipe: Recipe, examples: Examples, wanted: Wanted) -> tuple[PooledNetwork, nn.Module]:
    asked = recipe.network
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(wanted.run.seed)
        network = build(asked.builder, asked.config, asked.pooling)
        head = head_of(
            asked.head,
            network,
            asked.dimension,
            len(examples.all_outputs()),
            asked.dropout,
        )
    begin(network.body, recipe, wanted.init, wanted.needed)
    must_fit(network, head, recipe)
    return network, head


def outputs_of(trained: Trained, batches: Any) -> Tensor:
    """What head and network say of images, float32, shape (images, outputs)."""
    trainee = Trainee(trained.network, trained.head).eval()
    with torch.inference_mode():
        return torch.cat([trainee(batch[0]).float() for batch in batches])
