"""The report as CSV: numbers at full precision, empty cells where there are none."""

import csv
import dataclasses
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from evaluation.ablation.asked import Ablated
from evaluation.collection import Collection
from evaluation.evaluating import Judgement, of_the_whole
from evaluation.figures import Figure
from evaluation.nearest import NOBODY
from evaluation.report.answered import answered
from evaluation.report.document import Document
from evaluation.report.rows import class_measures, class_rows, kept_apart_rows
from evaluation.shadow import Abstention, Drift

DEPTH = 10
"""Neighbours of a query that are listed, at most."""
FIGURE = tuple(one.name for one in dataclasses.fields(Figure))
"""Measure, mean and value first."""

Cells = Sequence[Any]


def figures(document: Document) -> Iterator[str]:
    """Yield the lines of ``figures.csv``: over all queries, and where values are kept apart."""
    rows = (
        (one.system, one.task, row.part, row.group, *_figure(row.figure))
        for one in document.judgements
        for row in (*of_the_whole(one.rows), *kept_apart_rows(one, document.task(one.task)))
    )
    return _lines(("system", "task", "part", "group", *FIGURE), rows)


def classes(document: Document) -> Iterator[str]:
    """Yield the lines of ``classes.csv``: each class or label by each measure."""
    rows = (
        (one.system, task.name, name, *_figure(figure))
        for one in document.judgements
        for task in (document.task(one.task),)
        for measure in class_measures(document, task)
        for name, figure in class_rows(one, task, measure)
    )
    return _lines(("system", "task", "class", *FIGURE), rows)


def confounders(document: Document) -> Iterator[str]:
    """Yield the lines of ``confounders.csv``; an attribute's values follow it."""
    head = ("system", "task", "part", "headline", "attribute", "attribute value", "what")
    counts = ("known queries", "attribute values")
    tail = ("skill", "skill_by_lot", "skill_within", "drop", "drop_low", "drop_high", "verdict")
    rows = (row for one in document.judgements for row in _confounders(one))
    return _lines((*head, *counts, *FIGURE, *tail), rows)


def comparisons(document: Document) -> Iterator[str]:
    """Yield the lines of ``comparisons.csv``."""
    rows = (
        (pair.task, pair.measure, pair.first, pair.second, *dataclasses.astuple(one))
        for pair in document.comparisons
        for one in pair.differences
    )
    head = ("task", "measure", "first", "second", "class", "difference")
    return _lines((*head, "low", "high", "p", "p_t", "p_holm", "queries", "undefined"), rows)


def confusions(document: Document) -> Iterator[str]:
    """Yield the lines of ``confusions.csv``: classes of queries and of their first hits."""
    rows = (
        (one.system, one.task, asked, found, int(one.counts[row, column]))
        for one in document.confusions
        for row, asked in enumerate(one.names)
        for column, found in enumerate(one.columns)
        if one.counts[row, column]
    )
    return _lines(("system", "task", "query class", "class of the first hit", "queries"), rows)


def neighbours(document: Document, collection: Collection) -> Iterator[str]:
    """Yield the lines of ``neighbours.csv``: the first ten of each query that asks.

    Images have a number too, their place in the collection from 1, by which the page names them.
    """
    head = ("system", "task", "query", "query id", "rank", "neighbour", "neighbour id")
    rows = (row for one in document.judgements for row in _neighbours(document, one, collection))
    return _lines((*head, "similarity", "relevant", "gain"), rows)


def probes(document: Document) -> Iterator[str]:
    """Yield the lines of ``probes.csv``: of the whole, then of each class."""
    rows = (
        (one.probe.system, one.task, one.kind, row.group, *_figure(row.figure))
        for one in document.probes or ()
        for row in one.probe.rows
    )
    return _lines(("system", "task", "probe", "class", *FIGURE), rows)


def ablations(document: Document) -> Iterator[str]:
    """Yield the lines of ``ablations.csv``; ``seed`` is empty where the figure is of all seeds."""
    rows = (row for one in document.ablations or () for row in _ablations(one))
    return _lines(("system", "task", "images of each class", "seed", *FIGURE), rows)


def abstentions(document: Document) -> Iterator[str]:
    """Yield the lines of ``abstentions.csv``: how often an archive would find nothing similar."""
    found = document.shadow.abstentions if document.shadow else ()
    return _lines(_names(Abstention), map(dataclasses.astuple, found))


def drifts(document: Document) -> Iterator[str]:
    """Yield the lines of ``drifts.csv``: whether what came lately resembles what was there."""
    found = document.shadow.drifts if document.shadow else ()
    return _lines(_names(Drift), map(dataclasses.astuple, found))


def _ablations(one: Ablated) -> Iterator[Cells]:
    for curve in one.curves:
        for point in curve.points:
            named = (curve.system, one.task, point.per_class)
            yield (*named, "", *_figure(point.figure))
            for seed, value in zip(curve.seeds, point.by_seed, strict=True):
                others = [""] * (len(FIGURE) - 3)
                yield (*named, seed, one.measure, point.figure.mean, value, *others)


def _names(kind: Any) -> Cells:
    return tuple(one.name for one in dataclasses.fields(kind))


def _neighbours(document: Document, one: Judgement, collection: Collection) -> Iterator[Cells]:
    run, gains = answered(document.task(one.task), one.run, DEPTH)
    ids = collection.ids
    for at, query in enumerate(run.queries.tolist()):
        hits = zip(run.neighbours[at].tolist(), run.similarities[at], gains[at], strict=True)
        for rank, (hit, similarity, gain) in enumerate(hits, 1):
            if hit != NOBODY:
                names = (query + 1, ids[query], rank, hit + 1, ids[hit])
                yield (one.system, one.task, *names, float(similarity), int(gain > 0), float(gain))


def _confounders(one: Judgement) -> Iterator[Cells]:
    for found in one.confounders:
        named = (one.system, one.task, found.part, found.measure, found.attribute)
        tail = (found.skill, found.skill_by_lot, found.skill_within, *found.drop, found.verdict)
        counts = (found.known, found.values)
        for what, figure in (
            ("neighbours share it", found.shared),
            ("score among those known", found.overall),
            ("score within", found.within),
        ):
            yield (*named, "", what, *counts, *_figure(figure), *tail)
        for value, figure in found.strata:
            yield (*named, value, "score within", "", "", *_figure(figure), *[""] * len(tail))


def _figure(figure: Figure) -> Cells:
    return dataclasses.astuple(figure)


def _lines(head: Cells, rows: Iterable[Cells]) -> Iterator[str]:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    for row in chain((head,), rows):
        writer.writerow([_cell(one) for one in row])
        yield file.getvalue()
        file.seek(0)
        file.truncate()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return "" if isinstance(value, float) and not math.isfinite(value) else value
