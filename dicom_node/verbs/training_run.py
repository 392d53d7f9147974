"""``train``: the recipe as the user wants it, run, and what is said of it."""

import argparse
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dicom_node.settings import Settings
from dicom_node.verbs.bars import bar
from dicom_node.verbs.evaluation_sources import read
from dicom_node.verbs.recipes import own_values, recipe_of
from dicom_node.verbs.speech import put, put_json, say
from encoders.training.fault import TrainingError
from encoders.training.loop import BEST, LAST, Progress, Run
from encoders.training.recipe import Recipe, SplitBy
from encoders.training.training import CHECKPOINTS, Wanted
from evaluation.learning.folds import fold_folder, write_folds
from evaluation.learning.running import PARTS, Asked, Product, product_of
from evaluation.readers.teacher import read_teacher
from evaluation.report.as_json import plain
from evaluation.report.words import interval, number
from evaluation.text_table import MEANS


def run(chosen: argparse.Namespace, settings: Settings) -> int:
    """Trains, and prints what came of it.

    Raises:
        TrainingError: it cannot be trained so; the message says what to do.
    """
    declared, own = recipe_of(chosen), own_values(chosen)
    recipe = declared.changed(own)
    chosen.label_set, label_set = None, chosen.label_set  # recipes merge labels themselves
    collection, _ = read(chosen, settings, chosen.data)
    chosen.label_set = label_set
    folder = (chosen.output or Path(recipe.name)).absolute()
    if chosen.again:
        _forget(folder)
    with bar(recipe.name, "batch") as shown:
        command = shlex.join(["likeness", *sys.argv[1:]])
        teacher = None if chosen.teacher is None else read_teacher(chosen.teacher, collection)
        asked = Asked(
            declared, collection, chosen.data, command, chosen.smoke, _onto(shown), teacher, own
        )
        wanted = _wanted(chosen, recipe, folder)
        products = [product_of(asked, place, one) for place, one in _runs(chosen, folder, wanted)]
    if chosen.folds:
        weights = [product.told.weights_sha256 for product in products]
        write_folds(folder, recipe, weights, wanted.run.seed)
    if chosen.json:
        put_json([plain(_as_json(product)) for product in products])
    else:
        put("\n".join(line for product in products for line in _lines(product)))
    for product in products:
        if product.fault:
            say(f"likeness: {product.fault}; the last good epoch was kept")
    return 1 if any(product.fault for product in products) else 0


def _runs(
    chosen: argparse.Namespace, folder: Path, wanted: Wanted
) -> Iterator[tuple[Path, Wanted]]:
    """Yield each run's folder and how it is run."""
    if not chosen.folds:
        yield folder, wanted
        return
    for at in range(chosen.folds):
        yield fold_folder(folder, at), replace(wanted, fold=(at, chosen.folds))


def _wanted(chosen: argparse.Namespace, recipe: Recipe, folder: Path) -> Wanted:
    schedule = recipe.schedule
    split: SplitBy = schedule.split
    if chosen.split == "paper":
        split = schedule.paper_split
    elif chosen.split is not None:
        split = chosen.split
    run = Run(
        folder / CHECKPOINTS, {}, chosen.seed, device=chosen.device, precision=chosen.precision
    )
    return Wanted(run, split, init=chosen.init, needed=_parts(chosen.part))


def _parts(given: Sequence[str]) -> Mapping[str, Path]:
    found = {}
    for one in given:
        name, equals, path = one.partition("=")
        if not (name and equals and path):
            raise TrainingError(f"--part {one}: not RECIPE=FOLDER")
        found[name] = Path(path).absolute()
    return found


def _forget(folder: Path) -> None:
    """Removes what earlier runs left to go on with, and nothing else: the folder may hold more.

    An encoder that is there stays until another takes its place.

    Raises:
        OSError: something cannot be removed.
    """
    for place in (folder, *folder.glob("fold-*")):
        for name in (LAST, BEST):
            (place / CHECKPOINTS / f"{name}.ckpt").unlink(missing_ok=True)
        for part in place.glob(f"{PARTS}/*/"):
            _forget(part)


def _onto(shown: Any) -> Any:
    """From a recipe's name to what tells the bar how far it is."""

    def of(name: str) -> Progress:
        def tell(done: int, total: int, figures: str) -> None:
            shown.set_description(name)
            shown.total = total
            shown.set_postfix_str(figures, refresh=False)
            shown.update(done - shown.n)

        return tell

    return of


def _lines(product: Product) -> Iterator[str]:
    yield f"{product.told.name}: epoch {product.epoch} of {len(product.history)}; {product.why}"
    if product.judged is not None:
        for row in product.judged.rows:
            one = row.figure
            yield (
                f"  {row.part}: {one.measure}{MEANS[one.mean]} {number(one.value)} "
                f"({interval(one.low, one.high)}) at chance {number(one.chance)}"
            )
        for name, value in product.judged.told:
            yield f"  head: {name} {number(value)}"
    yield f"  the encoder: folder:{product.folder}"


def _as_json(product: Product) -> dict[str, Any]:
    figures = product.judged
    return {
        "name": product.told.name,
        "folder": str(product.folder),
        "epoch": product.epoch,
        "history": [dict(one) for one in product.history],
        "why": product.why,
        "fault": product.fault,
        "weights_sha256": product.told.weights_sha256,
        "retrieval": None
        if figures is None
        else [
            {
                "part": row.part,
                "measure": row.figure.measure,
                "mean": row.figure.mean,
                "value": row.figure.value,
                "low": row.figure.low,
                "high": row.figure.high,
                "chance": row.figure.chance,
                "queries": row.figure.queries,
            }
            for row in figures.rows
        ],
        "head": None if figures is None else dict(figures.told),
    }
