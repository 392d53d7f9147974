"""Draws precision by samples per class as SVG, a line for each system."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from io import StringIO

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.ablation.curves import Ablation
from evaluation.collection import CollectionError

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, told apart by those who see few colours; yellow left out, too pale for lines."""
MARKS = ("o", "s", "^", "D", "v", "P", "X")
SIZE = (7.0, 4.2)
"""Inches."""
INK, PAPER = "#333333", "#ffffff"
THEMES = f"""<style>
svg {{ color-scheme: light dark; --ink: {INK}; --paper: {PAPER}; }}
@media screen and (prefers-color-scheme: dark) {{ svg {{ --ink: #cccccc; --paper: transparent; }} }}
</style>
"""
"""The plot is looked at within pages of both, and printed."""


def draw(ablations: Sequence[Ablation], title: str = "") -> str:
    """The curves of one measure, with intervals, and chance: an SVG document, always the same.

    Text stays text. Systems are told apart by mark as well as by colour.

    Args:
        ablations: of the same measure and sizes.
        title: above the plot; none where empty.

    Raises:
        CollectionError: there are none, or they differ in measure or sizes.
    """
    kinds = {(one.measure, tuple(point.per_class for point in one.points)) for one in ablations}
    if len(kinds) != 1:
        raise CollectionError("a plot takes curves of one measure and the same sizes")
    with _settings():
        figure = Figure(figsize=SIZE, layout="constrained", facecolor=PAPER)
        axes = figure.add_subplot(facecolor=PAPER)
        for at, one in enumerate(ablations):
            # the marks go on by one with each round of colours, so that no two systems look alike
            mark = MARKS[(at + at // len(COLOURS)) % len(MARKS)]
            _curve(axes, one, COLOURS[at % len(COLOURS)], mark)
        _chance(axes, ablations[0])
        _frame(axes, ablations[0], title)
        written = StringIO()
        metadata = {"Date": None, **({"Title": title} if title else {})}
        figure.savefig(written, format="svg", metadata=metadata)
    return _in_both_themes(written.getvalue())


def _settings() -> AbstractContextManager[None]:
    """How this one figure is drawn and written; the settings stand as before afterwards."""
    return mpl.rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "likeness",
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    )


def _in_both_themes(svg: str) -> str:
    themed = svg.replace(INK, "var(--ink)").replace(PAPER, "var(--paper)")
    return themed.replace(" <defs>", f" {THEMES} <defs>", 1)


def _curve(axes: Axes, one: Ablation, colour: str, mark: str) -> None:
    sizes = [point.per_class for point in one.points]
    figures = [point.figure for point in one.points]
    values = [found.value for found in figures]
    # a mark at 0 or 1 is drawn whole
    axes.plot(
        sizes, values, color=colour, marker=mark, markersize=5, label=one.system, clip_on=False
    )
    lows, highs = [found.low for found in figures], [found.high for found in figures]
    axes.fill_between(sizes, lows, highs, color=colour, alpha=0.15, linewidth=0)


def _chance(axes: Axes, one: Ablation) -> None:
    sizes = [point.per_class for point in one.points]
    chances = [point.figure.chance for point in one.points]
    axes.plot(sizes, chances, color=INK, linestyle="--", linewidth=1, label="chance")


def _frame(axes: Axes, one: Ablation, title: str) -> None:
    sizes = [point.per_class for point in one.points]
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_ylim(0, 1)
    axes.set_xlabel("images of each class in the index")
    axes.set_ylabel(f"{one.measure}, interval of 95 % over patients")
    if title:
        axes.set_title(title, color=INK)
    axes.grid(visible=True, alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
