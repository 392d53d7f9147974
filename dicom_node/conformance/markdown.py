"""Numbered sections, a table of contents, and tables, as Markdown that any viewer shows."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

CONTENTS = "Table of Contents"
"""The title of the section whose text is the list of all sections."""

_DEEPEST_HEADING = 6


@dataclass(frozen=True)
class Section:
    """A section with its text, and the sections below it."""

    title: str
    text: str = ""
    parts: tuple["Section", ...] = ()


def document(title: str, preface: str, sections: Sequence[Section]) -> str:
    """The whole document; its sections are numbered from 1, level by level."""
    numbered = list(_numbered(sections))
    contents = "\n".join(
        f"{'  ' * number.count('.')}- {number} {section.title}" for number, section in numbered
    )
    blocks = [f"# {title}", preface]
    for number, section in numbered:
        level = min(number.count(".") + 2, _DEEPEST_HEADING)
        blocks.append(f"{'#' * level} {number} {section.title}")
        blocks.append(contents if section.title == CONTENTS else section.text)
    return "\n\n".join(block.strip("\n") for block in blocks if block) + "\n"


def _numbered(sections: Sequence[Section], above: str = "") -> Iterator[tuple[str, Section]]:
    for place, section in enumerate(sections, start=1):
        number = f"{above}{place}"
        yield number, section
        yield from _numbered(section.parts, f"{number}.")


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table under its caption; its cells may hold Markdown of one line.

    Raises:
        ValueError: a row has more or fewer cells than there are columns.
    """
    lines = [_row(columns), _row(["---"] * len(columns))]
    for cells in rows:
        if len(cells) != len(columns):
            raise ValueError(f"{caption}: a row of {len(cells)} cells: {cells}")
        lines.append(_row(cells))
    return f"**{caption}**\n\n" + "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def literal(value: object) -> str:
    """A value as it is, on one line: nothing that it holds is taken for Markdown."""
    text = "".join(c if c.isprintable() else " " for c in str(value)).strip()
    if not text:
        return "(empty)"
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if "`" in (text[0], text[-1]) else ""
    return f"{fence}{space}{text}{space}{fence}"


def paragraphs(*texts: str) -> str:
    """Texts and tables one below the other."""
    return "\n\n".join(text for text in texts if text)


def bullets(*lines: str) -> str:
    """A list."""
    return "\n".join(f"- {line}" for line in lines)
