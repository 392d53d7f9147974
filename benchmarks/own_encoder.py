"""How much better than `baseline` the encoder of our own finds, cross-validated, as Markdown.

``python -m benchmarks.own_encoder --data FOLDER --folds FOLDER`` where the first holds ``cxr`` with
its ``manifest.csv``, and the second is what ``likeness train likeness-cxr --folds 5`` made. Asked
twice: all images of other patients answer, which the networks of a query's fold have learned; and
only those of the query's own fold, none of which they ever saw. Takes minutes.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.found import figure_of
from benchmarks.machine import as_list, provenance
from encoders.encoder import EncoderOptions
from encoders.training.folding import folds_of
from evaluation import planning, tasks
from evaluation.collection import Collection
from evaluation.comparison import compared
from evaluation.evaluating import Judgement, System, judge
from evaluation.learning.folds import NAME, read_folds
from evaluation.readers import manifest
from evaluation.report.words import interval, number
from evaluation.systems.naming import system_of
from evaluation.tasks import Rules, Task

OTHERS = ("baseline", "pixels")
AGAINST = "baseline"
ASKED = (("class", "p@1"), ("class", "p@5"), ("any label", "p@1"), ("any label", "p@5"))


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--data", type=Path, required=True)
    asked.add_argument("--folds", type=Path, required=True)
    chosen = asked.parse_args()
    told = provenance("benchmarks.own_encoder")
    folds = read_folds(chosen.folds)
    collection = _with_folds(manifest.read(chosen.data / "cxr"), len(folds.weights), folds.seed)
    with tempfile.TemporaryDirectory() as kept:
        names = (f"{NAME}{chosen.folds}", *OTHERS)
        options = EncoderOptions(device="cpu")
        systems = [system_of(name, collection, Path(kept), options) for name in names]
    lines = [*as_list(told), ""]
    for words, within in (("all images of other patients", ""), ("those of its own fold", "fold")):
        lines += [f"Answering: {words}.", "", *_table(systems, collection, within), ""]
    sys.stdout.write("\n".join(lines))


def _with_folds(collection: Collection, count: int, seed: int) -> Collection:
    folds = folds_of(collection.patients, count, seed)
    texts = np.array([f"fold {at}" for at in folds])
    return replace(collection, attributes={**collection.attributes, "fold": texts})


def _tasks(collection: Collection, within: str) -> Iterator[Task]:
    members = planning.met(collection, ["multilabel=True"])
    yield replace(tasks.one_class(collection, "cxr3", ("p@1", "p@5")), within=within)
    yield replace(tasks.any_label(collection, members, "ignore"), within=within)


def _table(systems: list[System], collection: Collection, within: str) -> Iterator[str]:
    rules = Rules()
    judged: dict[str, list[Judgement]] = {
        system.name: [judge(system, task, collection, rules) for task in _tasks(collection, within)]
        for system in systems
    }
    own = systems[0].name
    yield f"| | chance | {' | '.join(judged)} | {own} less {AGAINST} |"
    yield f"|---|{'---|' * (len(judged) + 2)}"
    for part, measure in ASKED:
        yield _line(part, measure, judged, own)


def _line(part: str, measure: str, judged: dict[str, list[Judgement]], own: str) -> str:
    key = f"{part}: {measure}"
    found = {name: next(one for one in some if key in one.scores) for name, some in judged.items()}
    figures = {name: figure_of(one, part, measure) for name, one in found.items()}
    cells = [f"{number(one.value)} ({interval(one.low, one.high)})" for one in figures.values()]
    whole = compared(found[own].scores[key], found[AGAINST].scores[key])[0]
    chance = number(figures[own].chance)
    less = f"{whole.value:+.3f} ({whole.low:+.3f} to {whole.high:+.3f})"
    return f"| {part}, {measure} | {chance} | {' | '.join(cells)} | {less} |"


if __name__ == "__main__":
    main()
