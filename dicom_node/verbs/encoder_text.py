"""Encoders on a terminal, as wide as it is."""

import shutil
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from dicom_node.verbs.encoder_rows import ALLOWED_PICKLE, FETCH, TERMS, YOUR_FILE, Row
from encoders.catalogue.named import Form

HEADS = ("  NAME", "DIMENSION", "INPUT", "MODALITIES", "LICENCE", "STATE")
WIDEST = {"MODALITIES": 14, "LICENCE": 24}
"""Characters, of columns that are wrapped before the others are."""

NARROWEST_STATE = 24
WHERE_NOBODY_LOOKS = (120, 24)
"""Columns and lines where there is no terminal."""


def columns() -> int:
    """How wide the terminal is, in characters."""
    return shutil.get_terminal_size(WHERE_NOBODY_LOOKS).columns


def table(rows: Sequence[Row], width: int) -> str:
    """One row for each encoder, or on a narrow terminal a paragraph; what to do stands below."""
    cells = [HEADS, *(_cells(row) for row in rows)]
    widths = [
        min(max(map(len, column)), WIDEST.get(column[0], width))
        for column in zip(*cells, strict=True)
    ]
    widths[-1] = width - sum(widths[:-1]) - 2 * (len(HEADS) - 1)
    if widths[-1] < NARROWEST_STATE:
        return "\n".join(_paragraph(row, width) for row in rows)
    return "\n".join(line for row in cells for line in _lines(row, widths))


def _cells(row: Row) -> tuple[str, ...]:
    return (
        _marked(row),
        str(row.dimension or "-"),
        str(row.size or "-"),
        ", ".join(row.modalities) or "any",
        row.licence,
        row.state,
    )


def _marked(row: Row) -> str:
    return f"{'*' if row.in_use else ' '} {row.name}"


def _lines(cells: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    wrapped = [
        textwrap.wrap(cell, width, break_on_hyphens=False, drop_whitespace=False)
        for cell, width in zip(cells, widths, strict=True)
    ]
    for parts in zip_longest(*wrapped, fillvalue=""):
        padded = (part.ljust(width) for part, width in zip(parts, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _paragraph(row: Row, width: int) -> str:
    size = "" if row.size is None else f", input {row.size}"
    modalities = ", ".join(row.modalities) or "any modality"
    return "\n".join(
        [
            _marked(row),
            *_indented(f"dimension {row.dimension or '-'}{size}; {modalities}", width),
            *_indented(row.licence, width),
            *_indented(row.state, width),
        ]
    )


def _indented(text: str, width: int, indent: str = "    ") -> list[str]:
    return textwrap.wrap(
        text,
        max(width, 20),
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )


def legend(rows: Sequence[Row], forms: Sequence[Form], width: int) -> str:
    """What the states ask for, as far as they occur, and which other names there are."""
    needed = {need for row in rows for need in row.needs}
    told = {
        FETCH: "likeness encoders fetch NAME",
        TERMS: "accept the terms that `likeness encoders show NAME` leads to, then fetch it",
        YOUR_FILE: "`likeness encoders show NAME` says which; add NAME --weights PATH takes it",
        ALLOWED_PICKLE: "its authors offer only a pickle: encoder.allow_pickle = true opens it",
    }
    told |= {need: f"pip install '{need}'" for need in sorted(needed) if need not in told}
    lines = [f"{need}: {how}" for need, how in told.items() if need in needed]
    lines += [f"{form.pattern}: {form.summary}" for form in forms]
    return "\n".join(line for text in lines for line in _indented(text, width, "  "))


def facts(described: Mapping[str, Any], width: int) -> str:
    """``key  value`` for each fact; a value that is a mapping has a line for each of its own."""
    label = max(len(key) for key in described) + 2
    lines: list[str] = []
    for key, value in described.items():
        for position, text in enumerate(_values(value)):
            head = (key if position == 0 else "").ljust(label)
            lines += textwrap.wrap(
                text,
                max(width, label + 20),
                initial_indent=head,
                subsequent_indent=" " * label,
                break_on_hyphens=False,
                break_long_words=False,
            )
    return "\n".join(lines)


def _values(value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{key}: {_plain(part)}" for key, part in value.items()] or ["-"]
    return [_plain(value)]


def _plain(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) or "-" if isinstance(value, list | tuple) else str(value)
