"""Reads what is declared of each table: its title, what it wants, its notes, what the paper prints.

The declarations stand beside this file, one for each paper, so that figures can be held against the
paper by who reads no Python.
"""

import tomllib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from evaluation.papers.named_table import Make, NamedTable, Printed, Wants


def declared(paper: int, makes: dict[str, Make]) -> tuple[NamedTable, ...]:
    """A paper's tables.

    Args:
        paper: its number.
        makes: by the table's id, what makes it.

    Raises:
        ValueError: a table is declared that nothing makes, or the other way round.
    """
    text = files(__package__).joinpath(f"paper_{paper}.toml").read_text("utf-8")
    tables = tomllib.loads(text)["table"]
    if {one["id"] for one in tables} != makes.keys():
        raise ValueError(f"paper {paper}: declared and made tables differ")
    return tuple(_table(one, makes[one["id"]]) for one in tables)


def _table(told: dict[str, Any], make: Make) -> NamedTable:
    wants: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in told["wants"].items()
    }
    return NamedTable(
        id=told["id"],
        title=told["title"],
        source=told["source"],
        wants=Wants(**wants),
        notes=tuple(told["notes"]),
        printed=tuple(_printed(told.get("printed", []))),
        make=make,
    )


def _printed(blocks: list[dict[str, Any]]) -> Iterator[Printed]:
    """Yield figures; a block has ``cells``, each ``MEASURE MEAN``, and a row for each system."""
    for block in blocks:
        cells = [cell.split() for cell in block["cells"]]
        for system, values in block["rows"].items():
            for (measure, mean), value in zip(cells, values, strict=True):
                yield Printed(
                    system=system,
                    measure=measure,
                    mean=mean,
                    value=value,
                    setting=block.get("setting", ""),
                    group=block.get("group", ""),
                    where=block["where"],
                )
