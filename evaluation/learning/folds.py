"""Encoders trained fold by fold, judged together: each image asks the one that never saw it.

The answer to a query comes of one encoder alone, that of the query's fold, for all images: those
of other patients may have been learned, as an archive's are. Figures over all queries are of all
folds' encoders, none of which is the one that a site would use; they tell how good the recipe is.
"""

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from encoders import registry
from encoders.encoder import EncoderOptions
from encoders.folders.naming import PREFIX
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
        folds: how many there are.
        seed: by which patients were drawn.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: str
    folds: int = Field(ge=2)
    seed: int


def fold_folder(folder: Path, at: int) -> Path:
    """Of one fold's encoder."""
    return folder / f"fold-{at}"


def write_folds(folder: Path, recipe: Recipe, folds: int, seed: int) -> None:
    """What `system_of_folds` reads; once all folds are trained.

    Raises:
        OSError: it cannot be written.
    """
    told = Folds(recipe=recipe.name, folds=folds, seed=seed)
    write_file(folder / FOLDS, (told.model_dump_json(indent=2) + "\n").encode())


def read_folds(folder: Path) -> Folds:
    """What a folder says of itself.

    Raises:
        CollectionError: there are no folds in it, or not all.
    """
    path = folder / FOLDS
    try:
        return Folds.model_validate_json(path.read_bytes())
    except OSError as fault:
        raise CollectionError(
            f"{path} cannot be read ({fault.strerror}); `likeness train RECIPE --folds K "
            f"--output {folder}` writes it once all folds are trained"
        ) from fault
    except ValidationError as fault:
        raise CollectionError(f"{path} is none of folds: {fault.errors()[0]['msg']}") from fault


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
        for at in range(told.folds)
    ]
    own = folds_of(collection.patients, told.folds, told.seed)
    asking = [np.where((own == at)[:, None], one, 0) for at, one in enumerate(made)]
    return System(
        told.recipe,
        np.concatenate(made, axis=1),
        Metric.INNER_PRODUCT,
        asking=np.concatenate(asking, axis=1),
    )
