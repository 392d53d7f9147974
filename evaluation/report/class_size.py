"""Precision by size of the class: are the frequent found, and the rare not (paper 2, fig. 3A)?"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from evaluation.collection import Collection, Positions
from evaluation.evaluating import Judgement
from evaluation.figures import Figure
from evaluation.report.answered import Groups
from evaluation.report.drawing import Look, Picture, drawn, line, marks, titled, word
from evaluation.report.name_places import Box, placed
from evaluation.report.rows import class_rows
from evaluation.report.words import number
from evaluation.tasks import Rules, Task

WIDTH, HEIGHT = 480.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 36.0, 12.0, 10.0, 44.0
NAMED = 20
"""Classes whose names stand in the picture; more only crowd it."""
LONGEST_NAME = 20
OURS = Look(0, "dot")
BY_LOT = Look(-1, "cross")


@dataclass(frozen=True)
class _Point:
    name: str
    size: int
    figure: Figure


@dataclass(frozen=True)
class _Scale:
    """From class sizes, by their logarithm, and precisions to the picture."""

    least: float
    greatest: float

    def x(self, size: float) -> float:
        share = math.log(size / self.least) / math.log(self.greatest / self.least)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - value * (HEIGHT - TOP - BOTTOM)


def by_class_size(
    judgement: Judgement, task: Task, collection: Collection, groups: Groups, rules: Rules
) -> Picture | None:
    """A point for each class: images that may answer, and precision with its interval.

    The precision is the task's first ``p@k``, or else its headline. None where no class has both a
    value and an image that may answer.
    """
    measure = _measured(task)
    answering = task.members[rules.answering(collection)[task.members]]
    sizes = _sizes(groups, answering)
    points = [
        _Point(name, sizes[name], figure)
        for name, figure in class_rows(judgement, task, measure)
        if sizes.get(name) and not math.isnan(figure.value)
    ]
    if not points:
        return None
    title = f"{measure} of {judgement.system} by size of the class, {task.name}"
    says = (
        "Each point is a class, with its interval of 95 %; a cross is what an order drawn by lot "
        "would have. classes.csv holds the numbers."
    )
    return Picture(title, says, _plot(title, measure, points))


def _measured(task: Task) -> str:
    ids = [one.id for part in task.parts for one in part.measures]
    return next((one for one in ids if one.startswith("p@")), task.headline)


def _sizes(groups: Groups, answering: Positions) -> Mapping[str, int]:
    counts = groups.members[answering].sum(axis=0)
    return dict(zip(groups.names, counts.tolist(), strict=True))


def _plot(title: str, measure: str, points: list[_Point]) -> Markup:
    sizes = [one.size for one in points]
    scale = _Scale(min(sizes) / 1.25, max(sizes) * 1.25)
    parts = [*_axes(scale, measure), *(_point(scale, one) for one in points)]
    if len(points) <= NAMED:
        parts += _names(scale, points)
    return drawn(WIDTH, HEIGHT, f"{title}; the table of classes holds its values", parts)


def _axes(scale: _Scale, measure: str) -> list[Markup]:
    parts = []
    for value in (0, 0.25, 0.5, 0.75, 1):
        y = scale.y(value)
        parts.append(line("grid", LEFT, y, WIDTH - RIGHT, y))
        parts.append(word("tick end", LEFT - 6, y + 4, number(value, 2)))
    for size in _ticks(scale.least, scale.greatest):
        x = scale.x(size)
        parts.append(line("grid", x, TOP, x, HEIGHT - BOTTOM))
        parts.append(word("tick middle", x, HEIGHT - BOTTOM + 16, f"{size:,}"))
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(word("tick middle", middle, HEIGHT - 8, f"{measure} by images of the class"))
    return parts


def _ticks(least: float, greatest: float) -> list[int]:
    """Whole numbers 1, 2 or 5 times a power of ten; only the powers where there are many."""
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(greatest)) + 1)
    found = [int(times * 10**power) for power in powers if power >= 0 for times in (1, 2, 5)]
    inside = [one for one in found if least <= one <= greatest]
    tens = [one for one in inside if str(one).rstrip("0") == "1"]
    return tens if len(inside) > 8 and len(tens) > 1 else inside


def _point(scale: _Scale, one: _Point) -> Markup:
    x, figure = scale.x(one.size), one.figure
    parts = [
        line("whisker", x, scale.y(figure.low), x, scale.y(figure.high)),
        marks(BY_LOT, np.array([[x, scale.y(figure.chance)]])),
        marks(OURS, np.array([[x, scale.y(figure.value)]])),
    ]
    told = (
        f"{one.name}: {one.size:,} images, {number(figure.value)}, chance {number(figure.chance)}"
    )
    return titled(Markup().join(parts), told)


def _names(scale: _Scale, points: list[_Point]) -> list[Markup]:
    places = [(scale.x(one.size), scale.y(one.figure.value)) for one in points]
    names = [shortened(one.name) for one in points]
    room = Box(LEFT, 0, WIDTH, HEIGHT - BOTTOM)
    return [
        word("name end" if one.ends else "name", one.x, one.y + 4, one.name)
        for one in placed(places, names, room)
    ]


def shortened(name: str, most: int = LONGEST_NAME) -> str:
    """A name that is not longer than ``most``; what is left out is told by an ellipsis."""
    return name if len(name) <= most else f"{name[: most - 1]}…"
