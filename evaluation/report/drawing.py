"""Pictures drawn as SVG: marks that differ by colour and by shape, and take the page's theme.

They are written out rather than plotted: a page that lets in no style of its own content shows
them, thousands of points take a tenth of the room, and colours follow the theme and the paper.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

HUES = 7
"""The colours of Okabe and Ito, told apart by the colour-blind; the page's style holds them."""
SHAPES = ("dot", "triangle", "square", "cross")
_STROKES = {
    "dot": "h0",
    "triangle": "m0-3.4l3.2 5.6h-6.4z",
    "square": "m-2.5-2.5h5v5h-5z",
    "cross": "m-2.6-2.6l5.2 5.2m0-5.2l-5.2 5.2",
}
"""Of each shape, from its centre; a dot is a line without length that has round ends."""


@dataclass(frozen=True)
class Look:
    """How a mark looks; ``hue`` is below HUES, or -1 for what has no colour of its own."""

    hue: int
    shape: str

    @property
    def classes(self) -> str:
        """Of the page's style."""
        return f"mark {self.shape} hue-{self.hue if self.hue >= 0 else 'none'}"


REST = Look(-1, "dot")


@dataclass(frozen=True)
class LegendEntry:
    """A line of a legend."""

    name: str
    look: Look
    count: int

    @property
    def swatch(self) -> Markup:
        """The mark by itself."""
        return Markup(
            '<svg class="swatch" viewBox="-6 -6 12 12" aria-hidden="true">{}</svg>'
        ).format(marks(self.look, np.zeros((1, 2))))


@dataclass(frozen=True)
class Picture:
    """A picture of the report, either drawn here or brought along.

    Attributes:
        title: what it shows.
        says: the same in words, for who does not see it, with what must be known to read it.
        svg: drawn here, and safe to be put into a page (Markup); it takes the page's colours.
        uri: a data URI of any picture; on white.
        legend: of its marks.
    """

    title: str
    says: str
    svg: str = ""
    uri: str = ""
    legend: tuple[LegendEntry, ...] = ()


def brought(title: str, says: str, svg: str) -> Picture:
    """A picture that somebody else drew as SVG, such as an ablation's; it is shown as an image."""
    uri = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    return Picture(title, says, uri=uri)


def look(number: int) -> Look:
    """The look of the number-th thing: 28 of them differ, and next to each other in both ways."""
    return Look(number % HUES, SHAPES[number % len(SHAPES)])


def marks(look: Look, places: NDArray[np.float64]) -> Markup:
    """One mark at each place, shape (n, 2), as a single path."""
    stroke = _STROKES[look.shape]
    path = "".join(f"M{x:.4g} {y:.4g}{stroke}" for x, y in places.tolist())
    return Markup('<path class="{}" d="{}"/>').format(look.classes, path)


def line(kind: str, x0: float, y0: float, x1: float, y1: float) -> Markup:
    """A line of a class of the page's style."""
    path = f"M{x0:.4g} {y0:.4g}L{x1:.4g} {y1:.4g}"
    return Markup('<path class="{}" d="{}"/>').format(kind, path)


def bar(hue: str, x: float, y: float, width: float, height: float) -> Markup:
    """A filled rectangle in a colour of the page's style."""
    path = f"M{x:.4g} {y:.4g}h{width:.4g}v{height:.4g}h-{width:.4g}z"
    return Markup('<path class="bar {}" d="{}"/>').format(hue, path)


def word(kind: str, x: float, y: float, text: str) -> Markup:
    """A text of a class of the page's style."""
    return Markup('<text class="{}" x="{:.4g}" y="{:.4g}">{}</text>').format(kind, x, y, text)


def drawn(width: float, height: float, says: str, parts: Sequence[Markup]) -> Markup:
    """The picture of its parts, those in front last."""
    return Markup(
        '<svg class="plot" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">{}</svg>'
    ).format(width, height, says, Markup().join(parts))


def titled(part: Markup, title: str) -> Markup:
    """A part that tells its name where the pointer rests."""
    return Markup("<g><title>{}</title>{}</g>").format(title, escape(part))
