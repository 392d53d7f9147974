"""What an ablation found: a picture of the curves, and a table of the same points."""

from collections.abc import Iterator
from dataclasses import dataclass

from evaluation.ablation.asked import Ablated
from evaluation.ablation.curves import Point
from evaluation.ablation.plot import draw
from evaluation.report.drawing import Picture, brought
from evaluation.report.words import counted, number


@dataclass(frozen=True)
class SizeBlock:
    """One size of the index: all systems below each other."""

    size: int
    lines: tuple[tuple[str, Point], ...]


def curve_picture(found: Ablated) -> Picture:
    """The curves of all systems, with their intervals, and chance."""
    title = f"{found.measure} by images of each class in the index, {found.task}"
    ends = (
        f"{one.system} {number(one.points[0].figure.value)} to "
        f"{number(one.points[-1].figure.value)}"
        for one in found.curves
    )
    first, last = (found.curves[0].points[at].per_class for at in (0, -1))
    says = f"From {first:,} to {last:,} images of each class: {'; '.join(ends)}."
    return brought(title, says, draw(found.curves))


def size_blocks(found: Ablated) -> Iterator[SizeBlock]:
    """Yield the points by size."""
    for at, point in enumerate(found.curves[0].points):
        lines = tuple((one.system, one.points[at]) for one in found.curves)
        yield SizeBlock(point.per_class, lines)


def design_says(found: Ablated) -> str:
    """How it was drawn, and which classes had too few images, in words."""
    one = found.curves[0]
    queries = counted(one.queries, "query", "queries")
    classes = counted(len(one.classes), "class", "classes")
    seeds = ", ".join(map(str, one.seeds))
    drawn = f"{queries} of each of {classes}, drawn anew with each seed ({seeds})"
    if not one.left_out:
        return f"{drawn}."
    lacking = ", ".join(
        f"{name} ({asks:,} may ask, {answer:,} answer)" for name, asks, answer in one.left_out
    )
    return f"{drawn}. Left out, with too few images: {lacking}."
