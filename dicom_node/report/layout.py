"""Where everything stands on the contact sheet: plain geometry, in pixels from the top left.

The sheet is 1536 pixels wide, the width of a display of 3 megapixels that stands upright, as
reading rooms have them: there it is shown pixel by pixel. The smallest letters have 21 pixels per
em, which are 14 where the sheet is shown 1024 pixels wide, and 7 points on A4.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 1536
MARGIN, GAP, COLUMN_GAP = 32, 20, 30
TITLE, HEADING, STRONG, PLAIN = 44, 30, 24, 21
"""Sizes of the letters, in pixels per em."""
PLAIN_LINE, STRONG_LINE = 28, 31  # heights of lines of text
MOST_HITS, MOST_PRIORS = 20, 5
"""How many studies are drawn: four rows, and one. What is more stands in the report alone."""
MOST_LABEL_LINES, FACT_LINES = 2, 3
HEAD = 48  # of a tile, over its picture
SECTION = 60  # a section's heading with the space around it
FOOTER = 130
_QUERY = 420  # the side of the query's picture
_FEWEST_COLUMNS, _MOST_COLUMNS = 3, 5


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column to the right of it."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """The first row below it."""
        return self.top + self.height


@dataclass(frozen=True)
class Layout:
    """The places of a sheet; a heading is None where its section has none."""

    query: Box
    account: Box
    hits_heading: int | None
    hits: tuple[Box, ...]
    priors_heading: int | None
    priors: tuple[Box, ...]
    footer: int
    height: int


def hit_columns(hits: int) -> int:
    """Columns of the hits: three, four, or five."""
    return min(max(hits, _FEWEST_COLUMNS), _MOST_COLUMNS)


def tile_width(columns: int = _MOST_COLUMNS) -> int:
    """Width of a tile, and of its picture, where so many stand side by side."""
    return (WIDTH - 2 * MARGIN - (columns - 1) * COLUMN_GAP) // columns


def lay_out(hits: Sequence[int], priors: Sequence[int]) -> Layout:
    """The places for hits and priors, of which each is given as its number of lines of labels.

    The query stands at the top left with the account of the search to its right, below them the
    hits in rows, then the priors in one row. A single hit stands beside the query, as large.
    """
    if len(hits) == 1:
        query, hit, account = _row((0, hits[0], 0), _FEWEST_COLUMNS, MARGIN)
        return _with_priors(query, account, None, (hit,), hit.bottom + GAP, priors)
    query = Box(MARGIN, MARGIN, _QUERY, _tile_height(_QUERY, 0))
    left = query.right + COLUMN_GAP
    account = Box(left, MARGIN, WIDTH - MARGIN - left, query.height)
    top = query.bottom + GAP
    boxes, bottom = _grid(hits, hit_columns(len(hits)), top)
    return _with_priors(query, account, top if hits else None, boxes, bottom, priors)


def picture_box(tile: Box) -> Box:
    """The square of a tile that holds its picture."""
    return Box(tile.left, tile.top + HEAD, tile.width, tile.width)


def _with_priors(
    query: Box,
    account: Box,
    hits_heading: int | None,
    hits: tuple[Box, ...],
    top: int,
    priors: Sequence[int],
) -> Layout:
    boxes, footer = _grid(priors, _MOST_COLUMNS, top)
    heading = top if priors else None
    return Layout(query, account, hits_heading, hits, heading, boxes, footer, footer + FOOTER)


def _grid(label_lines: Sequence[int], columns: int, top: int) -> tuple[tuple[Box, ...], int]:
    """The boxes of a section whose heading is at ``top``, and where the next section begins."""
    if not label_lines:
        return (), top
    boxes: list[Box] = []
    below = top + SECTION
    for start in range(0, len(label_lines), columns):
        row = _row(label_lines[start : start + columns], columns, below)
        boxes += row
        below = row[-1].bottom + GAP
    return tuple(boxes), below


def _row(label_lines: Sequence[int], columns: int, top: int) -> list[Box]:
    """Tiles side by side, all as high as the one with the most lines of labels."""
    width = tile_width(columns)
    height = _tile_height(width, max(label_lines))
    return [
        Box(MARGIN + column * (width + COLUMN_GAP), top, width, height)
        for column in range(len(label_lines))
    ]


def _tile_height(side: int, label_lines: int) -> int:
    """Head, picture, labels, facts."""
    return HEAD + side + GAP // 2 + label_lines * STRONG_LINE + FACT_LINES * PLAIN_LINE
