"""CSV files as people send them: what separates the cells, the header line, and line numbers."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SEPARATORS = ",;\t"
"""Spreadsheets write semicolons where the comma is the decimal sign."""


class CsvError(ValueError):
    """A file that is no such table; the message names the file, and the line where there is one."""


@dataclass(frozen=True)
class CsvRows:
    """The header's cells, bare, and the rows that are not empty, each with its line number.

    A row that goes on over several lines has the number of the last. Its cells are as many as the
    header's: a shorter row is filled up with empty ones.
    """

    header: tuple[str, ...]
    rows: Iterator[tuple[int, list[str]]]


def read_rows(path: Path) -> CsvRows:
    """Opens a table in UTF-8, with or without a byte order mark, and reads its header line.

    Raises:
        CsvError: it cannot be read, is no UTF-8 text, or its header names a column twice; also
            while the rows are read, for one with more cells than the header or a stray quote.
    """
    records = _records(path)
    _, first = next(records, (0, []))
    header = tuple(cell.strip() for cell in first)
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise CsvError(f"{path}: the header line names {', '.join(twice)} twice")
    return CsvRows(header, _filled(path, records, len(header)))


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    number = 0
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            separator = max(SEPARATORS, key=file.readline().count)
            file.seek(0)
            reader = csv.reader(file, delimiter=separator, strict=True)
            for record in reader:
                number = reader.line_num
                yield number, record
    except UnicodeDecodeError as fault:
        raise CsvError(f"{path} is not UTF-8 text: {fault}") from fault
    except csv.Error as fault:
        raise CsvError(f"{path}: behind line {number}: {fault}") from fault
    except OSError as fault:
        raise CsvError(f"{path} cannot be read: {fault}") from fault


def _filled(
    path: Path, records: Iterator[tuple[int, list[str]]], width: int
) -> Iterator[tuple[int, list[str]]]:
    for number, record in records:
        if len(record) > width and any(record[width:]):
            raise CsvError(f"{path}: line {number} has more cells than the header line")
        if any(cell.strip() for cell in record):
            yield number, [*record[:width], *[""] * (width - len(record))]
