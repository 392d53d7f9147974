"""Paper 4: for each of nine findings, who has it asks, and who has it is relevant."""

from collections.abc import Sequence

import numpy as np

from evaluation import tasks
from evaluation.collection import UNSAID, Collection, CollectionError, Positions
from evaluation.evaluating import System, judge
from evaluation.papers.declared import declared
from evaluation.papers.named_table import Line, Outcome, Terms, lines_of
from evaluation.papers.selection import tested, with_labels
from evaluation.readers.chest_imagenome import FINDINGS

MEASURES = ("ap.hits@5", "p@5", "rr@5")
"""What the paper calls AP, HR and RR."""
FRONTAL = ("AP", "PA")


def _findings(collection: Collection, systems: Sequence[System], terms: Terms) -> Outcome:
    collection = with_labels(collection, FINDINGS)
    members, told = _members(collection)
    task = tasks.each_label(collection, members, "ignore", measures=MEASURES)
    lines: list[Line] = []
    for at, system in enumerate(systems, start=1):
        found = judge(system, task, collection, terms.rules())
        lines += lines_of(system.name, "", found.rows)
        terms.progress(at, len(systems))
    asked = {part.name for part in task.parts}
    lacking = [name for name in FINDINGS if name not in asked]
    if lacking:
        told.append(f"no image has {', '.join(lacking)}: the means are over the others")
    return Outcome(tuple(lines), tuple(told))


def _members(collection: Collection) -> tuple[Positions, list[str]]:
    """Frontal test images of which something is said.

    Raises:
        CollectionError: there are none.
    """
    images, says = tested(collection)
    said = (collection.states[images] != UNSAID).any(axis=1)
    frontal = np.ones(len(images), bool)
    if "view" in collection.attributes:
        frontal = np.isin(collection.attributes["view"][images], FRONTAL)
    kept = images[said & frontal]
    if not len(kept):
        raise CollectionError(
            f"{collection.name}: no frontal test image has findings of Chest ImaGenome: put them "
            "on the images first"
        )
    left = (
        f"left out: {(~frontal).sum():,} not frontal, {(~said & frontal).sum():,} without regions"
    )
    return kept, [f"{says} search each other", left]


TABLES = declared(4, {"papers/4-table1": _findings, "papers/4-table2": _findings})
