"""Paper 1: findings of radiographs against no finding, and CT by the patient's weight."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from evaluation import tasks
from evaluation.collection import Collection, Positions
from evaluation.evaluating import System, judge, of_the_whole
from evaluation.label_sets import consolidated
from evaluation.papers.declared import declared
from evaluation.papers.named_table import Line, Outcome, Terms, lines_of
from evaluation.papers.selection import (
    Classes,
    against_no_finding,
    class_task,
    tested,
    undersampled,
    without_finding,
)
from evaluation.probing.splits import patient_wise

OPACITY = "Opacity"
FINDINGS = ("Cardiomegaly", OPACITY, "Emphysema")
MEASURES = ("ap.hits@5", "ap.k@5", "ap.rel@5", "p@5")
SHARES = {"train": 0.6, "val": 0.3, "test": 0.1}
POUNDS = "weight"
BOUNDS, SCALE = (150.0, 200.0), 50.0
"""Pounds: where the middle class begins and ends, and its width."""


def _map5(collection: Collection, systems: Sequence[System], terms: Terms) -> Outcome:
    lines: list[Line] = []
    told: list[str] = []
    for finding in FINDINGS:
        classes = _classes(collection, finding)
        members, says = _members(collection, classes, terms)
        told.append(f"{finding}: {says}; {len(members):,} take part ({classes.told})")
        task = class_task(finding, classes, MEASURES, members)
        for at, system in enumerate(systems, start=1):
            found = judge(system, task, collection, terms.rules())
            lines += lines_of(system.name, finding, of_the_whole(found.rows))
            terms.progress(at, len(systems))
    return Outcome(tuple(lines), tuple(told))


def _classes(collection: Collection, finding: str) -> Classes:
    if finding != OPACITY:
        return against_no_finding(collection, finding)
    found = against_no_finding(consolidated(collection, "opacity8"), OPACITY)
    # who has another finding than these eight is not without finding
    codes = np.where((found.codes == 0) & ~without_finding(collection), -1, found.codes)
    told = f"{int((codes == 1).sum()):,} images with it, {int((codes == 0).sum()):,} without any"
    return Classes(codes, found.names, told)


def _members(collection: Collection, classes: Classes, terms: Terms) -> tuple[Positions, str]:
    """Test images, as many of each class; as printed, a tenth of such by lot, of any patient.

    Raises:
        CollectionError: a class has no image there.
    """
    if not terms.as_printed:
        images, says = tested(collection)
        return undersampled(classes, images[classes.codes[images] >= 0], terms.seed), says
    balanced = undersampled(classes, classes.members, terms.seed)
    own = np.array(patient_wise(np.arange(len(balanced)), SHARES, seed=terms.seed))
    return balanced[own == "test"], "a tenth of the balanced images by lot, of any patient"


def _weight(collection: Collection, systems: Sequence[System], terms: Terms) -> Outcome:
    images, says = tested(collection)
    whole = tasks.as_near(collection, POUNDS, SCALE, BOUNDS)
    task = replace(whole, members=np.intersect1d(whole.members, images))
    lines: list[Line] = []
    for at, system in enumerate(systems, start=1):
        found = judge(system, task, collection, terms.rules())
        for row in found.rows:
            lines += lines_of(system.name, f"relevance by {row.part}", [row])
        terms.progress(at, len(systems))
    unknown = len(images) - len(task.members)
    return Outcome(tuple(lines), (f"{says}; {unknown:,} of unknown weight take no part", task.says))


TABLES = declared(1, {"papers/1-map5": _map5, "papers/1-weight-ndcg": _weight})
