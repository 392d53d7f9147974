"""Encoders trained fold by fold, judged together: each image asks the one that never saw it.

The answer to a query comes of one encoder alone, that of the query's fold, for all images: those
of other patients may have been learned, as an archive's are. Figures over all queries are of all
folds' encoders, none of which is the one that a site would use; they tell how good the recipe is.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from encoders import registry
from encoders.encoder import EncoderError, EncoderOptions
from encoders.folders.naming import PREFIX
from encoders.folders.told import read_told
from encoders.folders.writing import write_file
from encoders.training.folding import folds_of
from encoders.training.recipe import Recipe
from evaluation.collection import Collection, CollectionError
from evaluation.evaluating import System
from evaluation.systems.embedding import Progress, embed, quiet
from storage.vectors.metric import Metric

FOLDS = "folds.json"
NAME = "folds:"


class Folds(BaseModel):
    """What a folder of folds says of itself.

    Attributes:
        recipe: its name.
        seed: by which patients were drawn.
        weights: the SHA-256 of each fold's weights, in their order.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: str
    seed: int
    weights: tuple[str, ...] = Field(min_length=2)


def fold_folder(folder: Path, at: int) -> Path:
    """Of one fold's encoder."""
    return folder / f"fold-{at}"


def write_folds(folder: Path, recipe: Recipe, weights: Sequence[str], seed: int) -> None:
    """What `system_of_folds` reads; once all folds are trained.

    Args:
        folder: of the folds.
        recipe: that they were trained by.
        weights: the SHA-256 of each fold's.
        seed: by which patients were drawn.

    Raises:
        OSError: it cannot be written.
    """
    told = Folds(recipe=recipe.name, seed=seed, weights=tuple(weights))
    write_file(folder / FOLDS, (told.model_dump_json(indent=2) + "\n").encode())


def read_folds(folder: Path) -> Folds:
    """What a folder says of itself.

    Raises:
        CollectionError: there are no folds in it; one is not there, or not the one that was
            trained with the others.
    """
    path = folder / FOLDS
    try:
        told = Folds.model_validate_json(path.read_bytes())
        found = [
            read_told(fold_folder(folder, at)).weights_sha256 for at in range(len(told.weights))
        ]
    except OSError as fault:
        raise CollectionError(
            f"{path} cannot be read ({fault.strerror}); `likeness train RECIPE --folds K "
            f"--output {folder}` writes it once all folds are trained"
        ) from fault
    except ValidationError as fault:
        one = fault.errors()[0]
        where = ".".join(map(str, one["loc"])) or FOLDS
        raise CollectionError(f"{path} is none of folds: {where}: {one['msg']}") from fault
    except EncoderError as fault:
        raise CollectionError(f"{path} tells of a fold that is not whole: {fault}") from fault
    others = [str(at) for at, wanted in enumerate(told.weights) if found[at] != wanted]
    if others:  # another seed's fold may have learned whom it is asked about
        raise CollectionError(
            f"fold {', '.join(others)} of {folder} is not the one that was trained with the "
            "others; run `likeness train` with --folds to its end again"
        )
    return told


def system_of_folds(
    name: str,
    collection: Collection,
    folder: Path,
    options: EncoderOptions,
    progress: Progress = quiet,
) -> System:
    """A recipe's answers, each query's by the encoder that never saw its patient.

    Args:
        name: ``folds:FOLDER``.
        collection: the images; with the patients' names of the training.
        folder: where vectors are kept.
        options: of encoders.
        progress: is told how many images are done, fold by fold.

    Returns:
        Vectors of all folds' encoders side by side; who asks has those of the own fold's, and
        zeros beside them, so that the inner product is that encoder's cosine.

    Raises:
        CollectionError: there are no folds, or an image cannot be read.
        EncoderError: an encoder cannot be made.
    """
    place = Path(name.removeprefix(NAME))
    told = read_folds(place)
    made = [
        embed(
            collection,
            registry.create(f"{PREFIX}{fold_folder(place, at)}", options),
            folder,
            progress,
        )
        for at in range(len(told.weights))
    ]
    own = folds_of(collection.patients, len(told.weights), told.seed)
    asking = [np.where((own == at)[:, None], one, 0) for at, one in enumerate(made)]
    return System(
        told.recipe,
        np.concatenate(made, axis=1),
        Metric.INNER_PRODUCT,
        asking=np.concatenate(asking, axis=1),
    )
