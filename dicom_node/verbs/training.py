"""The verb ``train``: a recipe's network, trained on a site's own images, as an encoder folder."""

import argparse
import os
from pathlib import Path
from typing import Any

from dicom_node.settings import Settings
from dicom_node.verbs.parsing import positive, seed, verb
from evaluation import readers
from evaluation.label_sets import LABEL_SETS

EXTRA = "likeness-node[train]"


def run_train(chosen: argparse.Namespace, settings: Settings) -> int:
    """Trains an encoder by a recipe on a data set, and says how good it is."""
    # torch and Lightning take seconds to import, which nobody waits for who wants help
    from dicom_node.verbs import recipes  # noqa: PLC0415
    from encoders import extras  # noqa: PLC0415

    if chosen.list:
        return recipes.told(chosen)
    if chosen.recipe is None or chosen.data is None:
        chosen.misused("a recipe and --data are needed; --list shows the recipes")
    if chosen.folds == 1:
        chosen.misused("--folds 1: each fold is asked about what the others learned; two at least")
    if chosen.folds and chosen.split is not None:
        chosen.misused("--folds parts patients itself: leave --split out")
    # threads that wait for one whose core is taken would spin on the others (docs/benchmarks.md)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    extras.imported("pytorch_lightning", EXTRA)
    from dicom_node.verbs import training_run  # noqa: PLC0415

    return training_run.run(chosen, settings)


def add_verbs(verbs: Any) -> None:
    """Tells the parser of it."""
    parser = verb(verbs, "train", run_train)
    parser.add_argument(
        "recipe", metavar="RECIPE", nargs="?", help="by name, or the path of a .toml of your own"
    )
    parser.add_argument("--list", action="store_true", help="the recipes there are")
    _of_data(parser)
    _of_splits(parser)
    _of_network(parser)
    _of_output(parser)


def _of_data(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("the images").add_argument
    add("--data", metavar="PLACE", help="a data set's folder or file, such as a manifest.csv")
    add("--reader", choices=readers.READERS, help="the data set's layout (default: recognised)")
    add("--option", action="append", default=[], metavar="KEY=VALUE", help="of the layout")
    add("--images", choices=("all", "present"), default="all",
        help="present: images that are not there are left out, and told")  # fmt: skip
    add("--where", action="append", default=[], metavar="COLUMN=VALUE", help="only these images")
    add("--boxes", type=Path, metavar="PLACE", help="of the regions that encoders of regions"
        " see: Chest ImaGenome's files, or a CSV file (default: they are estimated)")  # fmt: skip
    add("--target", action="append", default=[], metavar="NAME",
        help="labels or a column to learn instead of the recipe's; may be repeated")  # fmt: skip
    add("--teacher", type=Path, metavar="FILE", help="what another network says of the images, for"
        " recipes that learn it: a CSV file with columns prob_LABEL")  # fmt: skip
    add("--label-set", choices=LABEL_SETS, help="labels merged as papers merge them")


def _of_splits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("who is learned").add_argument
    add("--split", choices=("patient", "image", "official", "paper"), help="who is kept apart"
        " (default: the recipe's, patients mostly); image: a patient may be learned and asked;"
        " official: as the data set has it; paper: as the paper did")  # fmt: skip
    add("--folds", type=positive, metavar="K", help="train K times; each time a Kth of the"
        " patients is asked: `evaluate --encoder folds:FOLDER` judges them together")  # fmt: skip
    add("--seed", type=seed, default=0, help="of every draw (0)")


def _of_network(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("the network").add_argument
    add("--init", type=Path, metavar="FILE", help="safetensors that it begins with")
    add("--part", action="append", default=[], metavar="RECIPE=FOLDER",
        help="an encoder that it is made of (default: it is trained first)")  # fmt: skip
    add("--set", action="append", default=[], metavar="TABLE.KEY=VALUE",
        help="another value of the recipe's, as TOML: optimiser.rate=1e-4")  # fmt: skip
    add("--smoke", action="store_true", help="at the smallest scale that shows that all works")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(auto: a GPU if any)")
    add("--precision", choices=("32", "bf16", "16"), default="32", help="of the arithmetic (32)")


def _of_output(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("the encoder").add_argument
    add("-o", "--output", type=Path, metavar="FOLDER", help="of encoder and checkpoints (default:"
        " the recipe's name); the same command goes on after a stop")  # fmt: skip
    add("--again", action="store_true", help="without the checkpoints that are there")
    add("--json", action="store_true", help="what came of it as JSON on stdout")
