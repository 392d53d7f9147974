"""Shadow mode for those who decide: what is told of the whole archive, and of each value in it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from evaluation.comparison import holm
from evaluation.figures import Figure
from evaluation.report.document import Document
from evaluation.report.rows import headline, strata_blocks
from evaluation.report.words import SIGNIFICANT, counted, moment, number, p_says
from evaluation.shadow import Abstention, Drift, Shadow
from evaluation.tasks import Task

WHOLE = "the whole archive"
Standing = Literal["doubt", "open"]
"""That no difference is shown proves nothing: it is open."""
_Key = tuple[str, str]
"""An attribute and its value, both empty for the whole."""


@dataclass(frozen=True)
class ValueRow:
    """What is told of one value of an attribute; None where it has too few studies or images.

    Attributes:
        name: such as ``source = CT1``, or WHOLE.
        abstention: how often nothing would be similar.
        drift: whether what came lately resembles what was there.
        p_holm: that it does, by Holm's correction for all values; NaN where it cannot be told.
        agreement: of each task, its headline measure; None where it was not measured.
    """

    name: str
    abstention: Abstention | None
    drift: Drift | None
    p_holm: float
    agreement: tuple[Figure | None, ...]

    @property
    def drifted(self) -> bool:
        """A difference is shown."""
        return self.p_holm < SIGNIFICANT

    @property
    def so(self) -> str:
        """What the drift comes to, in words."""
        one = self.drift
        if one is None or not one.new:
            return "nothing new"
        if one.unseen:
            return "not seen before"
        if math.isnan(self.p_holm):
            return "cannot be told"
        return "they differ" if self.drifted else "no difference shown"


@dataclass(frozen=True)
class Said:
    """A sentence or two, and how it is to be taken."""

    title: str
    says: str
    standing: Standing


def value_rows(document: Document, found: Shadow) -> tuple[ValueRow, ...]:
    """The whole first, then each value; the answers are those of the document's first system."""
    abstained = {_key(one): one for one in found.abstentions}
    drifted = {_key(one): one for one in found.drifts}
    corrected = dict(zip(drifted, holm([one.p for one in drifted.values()]), strict=True))
    agreement = [_agreement(document, task) for task in document.tasks]
    return tuple(
        ValueRow(
            _name(key),
            abstained.get(key),
            drifted.get(key),
            corrected.get(key, math.nan),
            tuple(own.get(_name(key)) for own in agreement),
        )
        for key in dict.fromkeys((*abstained, *drifted))
    )


def says(found: Shadow) -> Iterator[Said]:
    """Yield what is to be said of the whole archive."""
    yield _abstained(found.abstentions[0], found.level)
    if found.drifts:
        yield _drifted(found.drifts[0], moment(found.since))
    else:
        told = "All images came at one moment, so that none are newer than others."
        yield Said("Drift", told, "open")


def _abstained(one: Abstention, level: float) -> Said:
    title = "Nothing similar"
    alone = f" {counted(one.alone, 'study has', 'studies have')} nobody to be compared with."
    tail = alone if one.alone else ""
    if not one.studies:
        return Said(title, f"No study can be compared with another patient's.{tail}", "open")
    told = (
        f"{100 * one.abstained:.1f} % of {counted(one.studies, 'study', 'studies')} would be told "
        f"that nothing is similar: their best hit is below percentile {level:g} of the pairs of "
        f"different patients. The median best hit is at percentile {one.median:.1f}.{tail}"
    )
    return Said(title, told, "open")


def _drifted(one: Drift, start: str) -> Said:
    title = "Drift"
    if math.isnan(one.p):
        return Said(title, f"Whether what came from {start} on differs cannot be told.", "open")
    medians = (
        f"The nearest earlier image of a new one (from {start} on) has a similarity of "
        f"{number(one.similarity_new)} in the median, that of an earlier one "
        f"{number(one.similarity_old)}; {p_says(one.p)}."
    )
    if one.p >= SIGNIFICANT:
        told = "No difference is shown between new and earlier images."
        return Said(title, f"{told} {medians}", "open")
    told = "What came lately differs from what was there before."
    return Said(title, f"{told} {medians}", "doubt")


def _agreement(document: Document, task: Task) -> Mapping[str, Figure]:
    """By the names of rows, the headline of the first system."""
    first = document.systems[0].name
    found = {
        block.name: figure
        for block in strata_blocks(document, task)
        for system, figure in block.lines
        if system == first
    }
    for one in document.of_task(task):
        if one.system == first:
            found[WHOLE] = headline(one, task)
    return found


def _key(one: Abstention | Drift) -> _Key:
    return one.attribute, one.value


def _name(key: _Key) -> str:
    return f"{key[0]} = {key[1]}" if key[0] else WHOLE
