"""Paper 2: precision of frozen encoders, their probes, and what the size of a class does."""

from collections.abc import Iterator, Sequence

from evaluation.ablation.asked import pool_of
from evaluation.ablation.curves import Ablation, ablation
from evaluation.collection import Collection
from evaluation.evaluating import System, judge, of_the_whole
from evaluation.papers.declared import declared
from evaluation.papers.named_table import Line, Outcome, Terms, lines_of
from evaluation.papers.selection import Classes, class_task, single_label
from evaluation.probing.probes import Ways, knn_probe, linear_probe, parts_of
from evaluation.probing.splits import split_positions, with_splits
from evaluation.probing.targets import of_classes

RANKS = (1, 3, 5, 10)
MEASURES = (*(f"p@{k}" for k in RANKS), *(f"p@{k}.cap" for k in RANKS))


def _retrieval(collection: Collection, systems: Sequence[System], terms: Terms) -> Outcome:
    collection, how = with_splits(collection, make=terms.make_splits, seed=terms.seed)
    ask = ("val", "test") if terms.as_printed and "val" in collection.splits else ("test",)
    split_positions(collection, ("train", *ask), may_share=terms.as_printed)
    classes = single_label(collection)
    task = class_task("one label", classes, MEASURES)
    lines: list[Line] = []
    for at, system in enumerate(systems, start=1):
        found = judge(system, task, collection, terms.rules(ask, ("train",)))
        lines += lines_of(system.name, "", of_the_whole(found.rows))
        terms.progress(at, len(systems))
    told = f"{how}: {' and '.join(ask)} ask, train answers"
    return Outcome(tuple(lines), (classes.told, told, *_without_answer(collection, classes)))


def _without_answer(collection: Collection, classes: Classes) -> Iterator[str]:
    """Yield a word on classes that nobody in the index is of."""
    there = {
        int(code)
        for code, split in zip(classes.codes, collection.splits, strict=True)
        if split == "train"
    }
    lacking = [name for at, name in enumerate(classes.names) if at not in there]
    if lacking:
        yield f"no image of the index is of class {', '.join(lacking)}, whose queries score 0"


def _probes(collection: Collection, systems: Sequence[System], terms: Terms) -> Outcome:
    collection, how = with_splits(collection, make=terms.make_splits, seed=terms.seed)
    classes = single_label(collection)
    targets = of_classes(classes.codes, classes.names)
    parts = parts_of(collection, targets, may_share=terms.as_printed)
    ways = Ways(
        leaks_true_class_size=terms.as_printed,
        linear="paper-2" if terms.as_printed else "logistic",
        seed=terms.seed,
        draws=terms.draws,
    )
    lines: list[Line] = []
    told = [classes.told, how]
    left_out: tuple[tuple[str, str], ...] = ()
    patients, apart = collection.patient_codes(), terms.rules().kept_apart(collection)
    for system in systems:
        given = (system, targets, parts, patients, ways, terms.progress)
        by_neighbours, linear = knn_probe(*given, apart=apart), linear_probe(*given)
        for setting, found in (("kNN", by_neighbours), ("linear", linear)):
            lines += lines_of(system.name, setting, of_the_whole(found.rows))
            told.append(f"{system.name}, {found.says}")
            left_out = found.left_out
    told += [f"{name} is left out of class means: {why}" for name, why in left_out]
    return Outcome(tuple(lines), tuple(told))


def _class_sizes(collection: Collection, systems: Sequence[System], terms: Terms) -> Outcome:
    """P@1 of each class beside its images in the index (A), and by their number (B)."""
    collection, how = with_splits(collection, make=terms.make_splits, seed=terms.seed)
    train, _ = split_positions(collection, ("train", "test"), may_share=terms.as_printed)
    classes = single_label(collection)
    rules = terms.rules(("test",), ("train",))
    task = class_task("one label", classes, ("p@1",))
    pool = pool_of(task, collection, rules)
    sizes = {name: int((classes.codes[train] == at).sum()) for at, name in enumerate(classes.names)}
    lines: list[Line] = []
    curves: list[Ablation] = []
    for system in systems:
        for row in judge(system, task, collection, rules).rows:
            if row.group:
                group = f"{row.group} ({sizes[row.group]:,} in the index)"
                lines.append(Line(system.name, "A: by class", group, row.figure))
        found = ablation(system, pool, terms.design, terms.progress, draws=terms.draws)
        lines += [
            Line(system.name, "B: by samples", f"{point.per_class:,} per class", point.figure)
            for curve in found
            for point in curve.points
        ]
        curves += found
    told = (
        f"B: {len(curves[0].classes)} classes, {terms.design.queries} queries of each, seeds "
        f"{', '.join(map(str, terms.design.seeds))}; {len(curves[0].left_out)} classes have too "
        "few images"
    )
    return Outcome(tuple(lines), (classes.told, how, told), tuple(curves))


TABLES = declared(
    2,
    {
        "papers/2-table2": _retrieval,
        "papers/2-table3": _retrieval,
        "papers/2-table4": _probes,
        "papers/2-figure3": _class_sizes,
    },
)
