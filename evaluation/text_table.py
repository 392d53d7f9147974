"""Figures as text: a table for each task, as wide as a terminal."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from evaluation.confounders import Confounder
from evaluation.evaluating import Judgement, Row
from evaluation.figures import Figure
from evaluation.shadow import Shadow
from evaluation.tasks import Task

MEANS = {"micro": "", "class_mean": " class mean", "class_inverse": " inverse frequency"}
"""What stands behind a measure's id."""


def table(task: Task, judgements: Sequence[Judgement]) -> Iterator[str]:
    """Yield the lines of a task's table, all systems side by side, then what explains them."""
    yield f"{task.name}: {task.says}; {len(task.members)} images"
    head = f"  {'':<34}{'chance':>8}"
    yield head + "".join(f"{judgement.system[:24]:>26}" for judgement in judgements)
    for rows in zip(*(judgement.rows for judgement in judgements), strict=True):
        yield f"  {_name(rows[0]):<34}{number(rows[0].figure.chance):>8}" + "".join(
            f"{_with_interval(row.figure):>26}" for row in rows
        )
    counts = [row for row in judgements[0].rows if not row.group][:1]
    for row in counts:
        figure = row.figure
        undefined = f", {figure.undefined} without a value" if figure.undefined else ""
        yield f"  {figure.queries} queries of {figure.patients} patients{undefined}"
    for judgement in judgements:
        for found in judgement.confounders:
            yield f"  {judgement.system}: {_explained(found)}"


def shadowed(found: Shadow) -> Iterator[str]:
    """Yield the lines of what shadow mode found."""
    yield f"no similar study: best hit below percentile {found.level:g}"
    yield f"  {'':<34}{'studies':>9}{'alone':>8}{'share':>8}{'median percentile':>20}"
    for one in found.abstentions:
        share, median = (
            number(one.abstained),
            "-" if math.isnan(one.median) else f"{one.median:.1f}",
        )
        where = _where(one.attribute, one.value)
        yield f"  {where:<34}{one.studies:>9}{one.alone:>8}{share:>8}{median:>20}"
    since = datetime.fromtimestamp(found.since, UTC).isoformat(sep=" ", timespec="minutes")
    yield ""
    yield f"drift: similarity of the nearest to images that came from {since} on, and to earlier"
    yield f"  {'':<34}{'new':>8}{'earlier':>9}{'new':>8}{'earlier':>9}{'distance':>10}{'p':>9}"
    for drift in found.drifts:
        values = "".join(
            f"{number(value):>{width}}"
            for value, width in (
                (drift.similarity_new, 8),
                (drift.similarity_old, 9),
                (drift.distance, 10),
                (drift.p, 9),
            )
        )
        where = _where(drift.attribute, drift.value)
        unseen = "  not seen before" if drift.unseen else ""
        yield f"  {where:<34}{drift.new:>8}{drift.old:>9}{values}{unseen}"


def _where(attribute: str, value: str) -> str:
    return f"{attribute} = {value}"[:33] if attribute else "all"


def _name(row: Row) -> str:
    where = row.group or ("" if row.part in {"class", "each label"} else row.part)
    name = f"{row.figure.measure}{MEANS[row.figure.mean]}"
    return f"{name}, {where}"[:33] if where else name


def number(value: float) -> str:
    """A share with three places, as tables print it; a dash where there is none."""
    if math.isnan(value):
        return "-"
    shown = f"{value:.3f}"
    return shown[1:] if shown.startswith("0.") else shown


def _with_interval(figure: Figure) -> str:
    if math.isnan(figure.value):
        return "no query has a value"
    low, high = number(figure.low), number(figure.high)
    return f"{number(figure.value)} ({low} to {high})"


def _explained(found: Confounder) -> str:
    return (
        f"{found.attribute} ({found.verdict}): neighbours share it {number(found.shared.value)} "
        f"(chance {number(found.shared.chance)}); {found.measure} within the same "
        f"{found.attribute} {number(found.within.value)} (chance {number(found.within.chance)})"
    )
