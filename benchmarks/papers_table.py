"""One table of the five papers' systems on the development half, as Markdown.

``python -m benchmarks.papers_table --data FOLDER --work FOLDER`` where the first holds ``cxr`` with
its ``manifest.csv``. Recipes are trained at smoke scale, fold by fold; what is done already in the
work folder is not done again. Takes hours on two cores, minutes once all is trained.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.found import figure_of
from benchmarks.machine import as_list, provenance
from encoders.encoder import EncoderOptions
from encoders.training.recipe_files import names, read_recipe
from evaluation import planning, tasks
from evaluation.collection import Collection
from evaluation.evaluating import System, judge
from evaluation.figures import Figure
from evaluation.learning.folds import FOLDS
from evaluation.readers import manifest
from evaluation.report.words import interval, number
from evaluation.systems.naming import system_of
from evaluation.systems.ssim import Structure, read_for_ssim
from evaluation.tasks import Rules
from storage.vectors.metric import Metric

NIH = "origin=NIH ChestX-ray14"
NOT_HERE = frozenset({"p1-ct-weight"})
"""Recipes of images that the development half has not."""
PLAIN = ("random", "pixels", "baseline", "random:monai-densenet121:0")
SMOKE = "smoke scale"

PRINTED = {
    "p1-cardiomegaly": "mAP@5 .68 (binary, undersampled; text also .76)",
    "p1-opacity": "mAP@5 .57 (binary, undersampled)",
    "p1-emphysema": "mAP@5 .787 (binary, undersampled)",
    "p1-ensemble": "none",
    "p2-xmir": "COVIDx P@1 .954 (DenseNet .811, BiomedCLIP .913)",
    "SSIM": "box plots only, below all networks",
    "p3-cnn": "F1 effusion .790, pneumonia .620",
    "p3-cnn-ig": "between CNN and IG (box plots)",
    "p3-ig": "F1 effusion .862, pneumonia .645",
    "p3-att": "F1 effusion .809, pneumonia .655",
    "p4-v0": "mAP@5 .518, P@5 .397",
    "p4-v1": "mAP@5 .529, P@5 .399",
    "p4-v2": "mAP@5 .539, P@5 .408",
    "p4-v3": "mAP@5 .540, P@5 .409",
    "p4-v4": "mAP@5 .518, P@5 .398",
    "p4-v5": "mAP@5 .546, P@5 .409",
    "p4-v6": "mAP@5 .551, P@5 .407",
    "p4-anaxnet": "mAP@5 .497, P@5 .345 (.541, .406 in its repository)",
    "p4-ath": "mAP@5 .448, P@5 .322",
    "p4-ath-binary": "none",
    "p4-global-frozen": "mAP@5 .490, P@5 .361",
    "p4-global": "mAP@5 .534, P@5 .426 (repository only)",
    "p5-densenet-224": "ACG@10 .36, P@10 .48 (NIH, communities)",
    "p5-densenet-512": "ACG@10 .40, P@10 .52 (the same)",
}
WHY = {
    1: "its sets are balanced by hand and parted by image; chance there .65 (mean over hits)",
    2: "other images (COVIDx), learned from CheXNet's weights",
    3: "readers' grades, which are not public; MIMIC-CXR",
    4: "means of nine findings of MIMIC-CXR and Chest ImaGenome, with its boxes; "
    "the patient's other images answer",
    5: "112,120 images, ImageNet's weights; only labelled images ask and answer, as here",
}


@dataclass(frozen=True)
class Line:
    """A system's figures.

    Attributes:
        name: of the system.
        figures: in the order of ``COLUMNS``.
        tied: share of the queries whose first answer is no nearer than the second.
    """

    name: str
    figures: tuple[Figure, ...]
    tied: float


COLUMNS = (
    ("three classes P@1", 0, "class", "p@1", "micro"),
    ("any label P@1", 1, "any label", "p@1", "micro"),
    ("any label P@10", 1, "any label", "p@10", "micro"),
    ("ACG@10", 1, "share of labels", "acg@10", "micro"),
    ("AP@5, label mean", 2, "each label", "ap.hits@5", "class_mean"),
    ("P@5, label mean", 2, "each label", "p@5", "class_mean"),
)
"""Head, task, part, measure and mean."""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--data", type=Path, required=True)
    asked.add_argument("--work", type=Path, required=True)
    asked.add_argument("--folds", type=int, default=3)
    asked.add_argument("--only", nargs="*", help="these recipes")
    asked.add_argument(
        "--also", nargs="*", default=[], help="further systems, as evaluate has them"
    )
    chosen = asked.parse_args()
    told = provenance("benchmarks.papers_table")
    data = chosen.data / "cxr"
    # our own are of no paper: ``--also`` has their folds, trained whole
    of_papers = [name for name in names() if read_recipe(name).paper]
    wanted = [name for name in chosen.only or of_papers if name not in NOT_HERE]
    for name in wanted:
        _train(name, data, chosen.work / name, chosen.folds)
    collection = manifest.read(data)
    systems = _systems(collection, wanted, chosen.work, chosen.also)
    lines = [_line(system, collection) for system in systems]
    sys.stdout.write("\n".join((*as_list(told), "", *_table(lines))) + "\n")


def _train(name: str, data: Path, folder: Path, folds: int) -> None:
    if (folder / FOLDS).exists():
        return
    of = ["--target", "cxr3"] if name == "p2-xmir" else ["--where", NIH]
    asked = ["train", name, "--data", str(data), *of, "--smoke", "--folds", str(folds)]
    subprocess.run(
        [sys.executable, "-m", "dicom_node", *asked, "-o", str(folder)],
        check=True,
        stdout=sys.stderr,
    )


def _systems(
    collection: Collection, wanted: list[str], work: Path, also: list[str]
) -> Iterator[System]:
    """Yield what needs no training, then the recipes in the order of their names."""
    options = EncoderOptions(device="cpu")
    for name in (*PLAIN, *also):
        yield system_of(name, collection, work, options)
    yield _ssim(collection, work)
    for name in wanted:
        yield system_of(f"folds:{work / name}", collection, work, options)


def _ssim(collection: Collection, work: Path) -> System:
    """Its similarities as inner products: who asks has his row of them, who answers one 1."""
    kept = work / "ssim.npy"
    count = len(collection)
    if not kept.exists():
        scorer = read_for_ssim(collection, np.arange(count))
        seen = [Structure.of(scorer.images[at]) for at in range(count)]
        found = np.ones((count, count), np.float32)
        for at in range(count):
            for other in range(at):
                found[at, other] = found[other, at] = seen[at].similarity(seen[other])
        np.save(kept, found)
    unit = np.eye(count, dtype=np.float32)
    return System("SSIM", unit, Metric.INNER_PRODUCT, asking=np.load(kept))


def _line(system: System, collection: Collection) -> Line:
    members = planning.met(collection, ["multilabel=True"])
    rules = Rules()
    judged = [
        judge(system, task, collection, rules)
        for task in (
            tasks.one_class(collection, "cxr3", ("p@1",)),
            tasks.any_label(collection, members, "ignore"),
            tasks.each_label(collection, members, "ignore"),
        )
    ]
    figures = tuple(figure_of(judged[at], *of) for _, at, *of in COLUMNS)
    return Line(system.name, figures, judged[0].run.tied)


def _table(lines: list[Line]) -> Iterator[str]:
    heads = [head for head, *_ in COLUMNS]
    yield f"| system | {' | '.join(heads)} | the paper's own | why not comparable |"
    yield f"|---|{'---|' * (len(heads) + 2)}"
    chance = " | ".join(number(one.chance) for one in lines[0].figures)
    yield f"| *chance* | {chance} | | |"
    for line in lines:
        cells = " | ".join(
            f"{number(one.value)} ({interval(one.low, one.high)})" for one in line.figures
        )
        yield f"| `{line.name}` | {cells} | {PRINTED.get(line.name, '')} | {_why(line.name)} |"
    queries = ", ".join(
        f"{head} {one.queries}" for head, one in zip(heads, lines[0].figures, strict=True)
    )
    yield ""
    yield f"Queries: {queries}."
    for line in lines:
        if line.tied:
            yield (
                f"For {number(line.tied)} of those of three classes the second answer of "
                f"`{line.name}` is as near as the first, and the lot decides."
            )


def _why(name: str) -> str:
    if name == "SSIM":
        return WHY[3]
    if name not in names():
        return ""
    paper = read_recipe(name).paper
    return (
        f"{SMOKE}; {WHY[paper]}"
        if paper
        else "our own, of no paper; five folds, not at smoke scale"
    )


if __name__ == "__main__":
    main()
