"""Figures as text: a table for each task, as wide as a terminal."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby

from evaluation.ablation.asked import Ablated
from evaluation.confounders import Confounder
from evaluation.evaluating import Judgement, Row, of_the_whole
from evaluation.figures import Figure
from evaluation.probing.asked import Probed
from evaluation.shadow import Shadow
from evaluation.tasks import Task

MEANS = {"micro": "", "class_mean": " class mean", "class_inverse": " inverse frequency"}
"""What stands behind a measure's id."""


def table(task: Task, judgements: Sequence[Judgement]) -> Iterator[str]:
    """Yield the lines of a task's table, all systems side by side, then what explains them."""
    yield f"{task.name}: {task.says}; {len(task.members)} images"
    yield _head([judgement.system for judgement in judgements])
    for rows in zip(*(judgement.rows for judgement in judgements), strict=True):
        yield _line(_name(rows[0]), [row.figure for row in rows])
    counts = of_the_whole(judgements[0].rows)[:1]
    for row in counts:
        figure = row.figure
        undefined = f", {figure.undefined} without a value" if figure.undefined else ""
        yield f"  {figure.queries} queries of {figure.patients} patients{undefined}"
    for judgement in judgements:
        if judgement.run.tied > 0:
            yield (
                f"  {judgement.system}: for {number(judgement.run.tied)} of the queries the second "
                "answer is as near as the first, and the lot decides"
            )
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
    if not found.drifts:
        yield "drift: all images came at one moment, so that none are newer than others"
        return
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


def probed(found: Sequence[Probed]) -> Iterator[str]:
    """Yield the lines of the probes: a table for each task and kind, without single classes."""
    for _, group in groupby(found, key=lambda one: (one.task, one.kind)):
        some = list(group)
        first = some[0]
        yield (
            f"{first.task}, {first.kind} probe: {first.training} images in training, "
            f"{first.validation} in validation, {first.test} in test"
        )
        yield _head([one.probe.system for one in some])
        columns = [of_the_whole(one.probe.rows) for one in some]
        for rows in zip(*columns, strict=True):
            yield _line(_of_decisions(rows[0].figure), [row.figure for row in rows])
        for one in some:
            yield f"  {one.probe.system}, {one.probe.says}"
        for name, why in first.probe.left_out:
            yield f"  {name} is left out of class means: {why}"
        yield ""


def ablated(found: Sequence[Ablated]) -> Iterator[str]:
    """Yield the lines of the ablations: a table for each task and measure."""
    for one in found:
        first = one.curves[0]
        yield (
            f"{one.task}, {one.measure} by images of each class: {len(first.classes)} classes, "
            f"{first.queries} queries of each, seeds {', '.join(map(str, first.seeds))}"
        )
        yield _head([curve.system for curve in one.curves])
        for points in zip(*(curve.points for curve in one.curves), strict=True):
            yield _line(f"{points[0].per_class:,}", [point.figure for point in points])
        for name, asks, answer in first.left_out:
            yield f"  {name} is left out: {asks} may ask, {answer} answer"
        yield ""


def _head(systems: Sequence[str]) -> str:
    return f"  {'':<34}{'chance':>8}" + "".join(f"{name[:24]:>26}" for name in systems)


def _line(name: str, figures: Sequence[Figure]) -> str:
    """All systems' figures side by side; they have the same chance."""
    cells = "".join(f"{_with_interval(one):>26}" for one in figures)
    return f"  {name:<34}{number(figures[0].chance):>8}{cells}"


def _of_decisions(figure: Figure) -> str:
    return f"{figure.measure}{MEANS[figure.mean] or ' all decisions'}"


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
