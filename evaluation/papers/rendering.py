"""A made table as plain text or Markdown: ours, chance, and what the paper prints, in one place."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evaluation.figures import Figure
from evaluation.papers.named_table import Line, MadeTable, Printed
from evaluation.text_table import MEANS, number

COLUMNS = 4
"""Of figures in a table, so that it is as wide as a terminal."""
Cells = list[str]
_Key = tuple[str, str]
"""Measure and mean."""


@dataclass(frozen=True)
class Block:
    """A table of one setting: its groups by systems, or systems and the paper's rows by measures.

    Attributes:
        title: of the setting and group; empty where there is one.
        rows: the header's cells first.
    """

    title: str
    rows: tuple[Cells, ...]


def blocks(made: MadeTable) -> Iterator[Block]:
    """Yield the tables, at most COLUMNS wide."""
    settings: dict[str, dict[str, list[Line]]] = {}
    for line in made.lines:
        settings.setdefault(line.setting, {}).setdefault(line.group, []).append(line)
    for setting, groups in settings.items():
        if len(groups) > 1 and not any(line.printed for group in groups for line in groups[group]):
            yield from _by_group(setting, groups)
            continue
        for group, lines in groups.items():
            title = _one_line(" / ".join(part for part in (setting, group) if part))
            keys = list(dict.fromkeys(_key(line) for line in lines))
            keys.sort(key=lambda key: list(MEANS).index(key[1]))
            for at in range(0, len(keys), COLUMNS):
                yield Block(title, tuple(_rows(lines, keys[at : at + COLUMNS])))


def text(made: MadeTable) -> str:
    """Plain lines, columns side by side."""
    found = [f"{made.table.id}: {made.table.title}", f"  {made.table.source}"]
    found += [f"  {made.collection}, rules: {made.rules}", *(f"  {one}" for one in made.told), ""]
    for block in blocks(made):
        widths = [max(map(len, column)) for column in zip(*block.rows, strict=True)]
        found += [block.title] * bool(block.title)
        for row in block.rows:
            first, *others = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            found.append("  " + "  ".join([first, *others]).rstrip())
        found.append("")
    return "\n".join([*found, *(f"* {note}" for note in made.table.notes), ""])


def markdown(made: MadeTable) -> str:
    """A section of a Markdown document."""
    found = [f"## {made.table.id}: {_escaped(made.table.title)}", "", _escaped(made.table.source)]
    found += ["", f"{_escaped(made.collection)}, rules: {made.rules}.", ""]
    found += [*(f"- {_escaped(one)}" for one in made.told), ""]
    for block in blocks(made):
        found += [f"### {_escaped(block.title)}", ""] * bool(block.title)
        for at, row in enumerate(block.rows):
            found.append("| " + " | ".join(_escaped(cell) for cell in row) + " |")
            found += ["|" + " --- |" * len(row)] * (at == 0)
        found.append("")
    return "\n".join([*found, *(f"- {_escaped(note)}" for note in made.table.notes), ""])


def _by_group(setting: str, groups: Mapping[str, Sequence[Line]]) -> Iterator[Block]:
    """Yield a table for each measure: a row for each group, a column for each system."""
    every = [line for lines in groups.values() for line in lines]
    systems = list(dict.fromkeys(line.system for line in every))
    for key in dict.fromkeys(_key(line) for line in every):
        rows = [["", *map(_one_line, systems), "chance", "queries"]]
        for group, lines in groups.items():
            own = {line.system: line.figure for line in lines if _key(line) == key}
            if own:
                values = (_interval(own.get(system)) for system in systems)
                figures = list(own.values())
                chance = number(figures[0].chance)
                rows.append([_one_line(group) or "all", *values, chance, _queries(figures)])
        yield Block(_one_line(f"{setting}, {_shown(key)}".strip(", ")), tuple(rows))


def _rows(lines: Sequence[Line], keys: Sequence[_Key]) -> Iterator[Cells]:
    """Yield the header, our systems, chance, and the paper's rows that have one of the measures."""
    yield ["", *map(_shown, keys), "queries"]
    systems: dict[str, dict[_Key, Figure]] = {}
    printed: dict[str, dict[_Key, Printed]] = {}
    for line in lines:
        if _key(line) in keys:
            systems.setdefault(line.system, {})[_key(line)] = line.figure
            for one in line.printed:
                printed.setdefault(_name(one), {})[_key(line)] = one
    for system, own in systems.items():
        values = (_interval(own.get(key)) for key in keys)
        yield [_one_line(system), *values, _queries(list(own.values()))]
    of_first = next(iter(systems.values()))
    yield ["chance", *(number(of_first[key].chance) for key in keys), ""]
    for name, cells in printed.items():
        yield [name, *(number(cells[key].value) if key in cells else "" for key in keys), ""]


def _shown(key: _Key) -> str:
    name, mean = key
    return f"{name}{MEANS[mean]}"


def _key(line: Line) -> _Key:
    return line.figure.measure, line.figure.mean


def _name(one: Printed) -> str:
    return f"paper: {one.system}" if one.where != "repository" else f"repository: {one.system}"


def _interval(found: Figure | None) -> str:
    if found is None or math.isnan(found.value):
        return "no value"
    return f"{number(found.value)} ({number(found.low)} to {number(found.high)})"


def _queries(figures: Sequence[Figure]) -> str:
    """How many count; of several counts the range, and how many have no value at most."""
    counts = sorted({found.queries for found in figures})
    told = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    undefined = max(found.undefined for found in figures)
    return f"{told} ({undefined:,} without a value)" if undefined else told


def _escaped(cell: str) -> str:
    """Text that Markdown leaves as it is."""
    for mark in "\\`*_|<>[]":
        cell = cell.replace(mark, "\\" + mark)
    return _one_line(cell)


def _one_line(cell: str) -> str:
    return " ".join(cell.split())
