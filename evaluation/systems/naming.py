"""The systems that are evaluated: encoders of the registry, and what every encoder must beat."""

import re
from pathlib import Path

import numpy as np

from encoders import registry
from encoders.checked import CheckedEncoder
from encoders.descriptor_blocks import grey_layout
from encoders.descriptor_resize import resize
from encoders.encoder import EncoderOptions
from encoders.untrained import untrained
from evaluation.collection import Collection
from evaluation.evaluating import System
from evaluation.learning import folds
from evaluation.systems.embedding import Progress, embed, quiet
from evaluation.systems.images import read_picture

PIXELS, BY_LOT = "pixels", "random"
SIDE = 32
DIMENSION = 64
"""Of vectors drawn by lot."""
_RANDOM_WEIGHTS = re.compile(r"random:(.+?)(?::(\d+))?")


def system_of(
    name: str,
    collection: Collection,
    folder: Path,
    options: EncoderOptions,
    progress: Progress = quiet,
    *,
    seed: int = 0,
) -> System:
    """A system by its name: vectors of all images.

    Args:
        name: ``random`` (vectors drawn by lot), ``pixels`` (32 x 32 grey pixels less their mean),
            ``random:ENCODER`` or ``random:ENCODER:SEED`` (its network with random weights),
            ``folds:FOLDER`` (a recipe, cross-validated), or an encoder of the registry.
        collection: the images.
        folder: where vectors are kept.
        options: of encoders.
        progress: is told how many images are done.
        seed: of what is drawn.

    Raises:
        EncoderError: there is no such encoder, or it cannot be made.
        CollectionError: an image cannot be read or embedded.
    """
    if name == BY_LOT:
        drawn = np.random.default_rng(seed).standard_normal((len(collection), DIMENSION))
        return System(BY_LOT, drawn.astype(np.float32))
    if name == PIXELS:
        return System(PIXELS, _pixels(collection, progress))
    if name.startswith(folds.NAME):
        return folds.system_of_folds(name, collection, folder, options, progress)
    encoder = encoder_of(name, options)
    vectors = embed(collection, encoder, folder, progress)
    return System(name, vectors, space=encoder.space.id)


def encoder_of(name: str, options: EncoderOptions) -> CheckedEncoder:
    """An encoder of the registry, or its network with random weights.

    Raises:
        EncoderError: there is none, or it cannot be made.
    """
    random = _RANDOM_WEIGHTS.fullmatch(name)
    if random is None:
        return registry.create(name, options)
    return untrained(registry.find(random[1]), options, int(random[2] or 0))


def _pixels(collection: Collection, progress: Progress) -> np.ndarray:
    found = np.empty((len(collection), SIDE * SIDE), np.float32)
    for at, path in enumerate(collection.paths):
        found[at] = grey_layout(resize(read_picture(path).pixels, SIDE))
        progress(at + 1, len(collection))
    return found
