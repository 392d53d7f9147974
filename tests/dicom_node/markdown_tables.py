"""Reads a conformance statement back: its headings and its tables, by their captions."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A Markdown table; every row has as many cells as there are columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, name: str) -> list[str]:
        """One cell of each row."""
        at = self.columns.index(name)
        return [row[at] for row in self.rows]

    def pairs(self) -> dict[str, str]:
        """The second cell of each row by its first."""
        return {row[0]: row[1] for row in self.rows}


def headings(text: str) -> list[str]:
    """The titles in their order, with their numbers."""
    return re.findall(r"^#+ (.+)$", text, re.MULTILINE)


def tables(text: str) -> dict[str, Table]:
    """The tables, by the caption in bold above each."""
    found = {}
    for caption, body in re.findall(r"^\*\*(.+)\*\*\n\n((?:\|.*\n)+)", text, re.MULTILINE):
        assert caption not in found, f"two tables are called {caption}"
        found[caption] = _table(body.splitlines())
    return found


def _table(lines: list[str]) -> Table:
    columns, ruler, *rows = map(_cells, lines)
    assert ruler == ("---",) * len(columns)
    for row in rows:
        assert len(row) == len(columns), row
    return Table(columns, tuple(rows))


def _cells(line: str) -> tuple[str, ...]:
    """The cells of a row; a pipe that is escaped belongs to its cell."""
    assert line.startswith("| ")
    assert line.endswith(" |")
    return tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])


def plain(cell: str) -> str:
    """What a literal value says, as a viewer shows it."""
    fenced = re.fullmatch(r"(`+) ?(.*?) ?\1", cell)
    return (fenced[2] if fenced else cell).replace("\\|", "|")
