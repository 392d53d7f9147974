"""CSV files as they are published: plain or gzipped, with each fault told by line and column.

Cells stay text until a reader asks for them. A column has few distinct cells (112,120 images have
some 800 label sets), so each distinct cell is understood once.
"""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO, TypeVar

from evaluation.readers.fault import ReaderError, some

T = TypeVar("T")
Row = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """The rows of a CSV file.

    Attributes:
        path: of the file.
        header: the columns' names, those that are empty included.
        rows: the cells of each row, as many as the header has.
        lines: where each row ends in the file; the header's line is 1.
    """

    path: Path
    header: tuple[str, ...]
    rows: Sequence[Row]
    lines: Sequence[int]

    def __len__(self) -> int:
        return len(self.rows)

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        return name in self.header

    def column(self, name: str) -> list[str]:
        """A column's cells without the blanks around them.

        Raises:
            ReaderError: there is no such column.
        """
        self.must_have(name)
        at = self.header.index(name)
        return [row[at].strip() for row in self.rows]

    def must_have(self, *names: str) -> None:
        """Refuses a file of another layout.

        Raises:
            ReaderError: a column is missing; the message names it and those that are there.
        """
        _must_have(self.path, self.header, names)

    def either(self, *names: str) -> str:
        """The first of these columns that is there: releases of a set name one thing differently.

        Raises:
            ReaderError: none is there.
        """
        found = next((name for name in names if name in self.header), None)
        if found is None:
            self.must_have(names[0])
        return found or names[0]

    def parsed(self, name: str, parse: Callable[[str], T]) -> list[T]:
        """A column's values.

        Args:
            name: of the column.
            parse: makes a value of a cell; raises ValueError with what is wrong and the remedy.

        Raises:
            ReaderError: there is no such column, or ``parse`` refused a cell.
        """
        cells = self.column(name)
        known: dict[str, T] = {}
        for cell in dict.fromkeys(cells):
            try:
                known[cell] = parse(cell)
            except ValueError as fault:
                raise self.fault(cells.index(cell), name, str(fault)) from fault
        return [known[cell] for cell in cells]

    def filled(self, name: str) -> tuple[str, ...]:
        """A column's cells, none of which is empty.

        Raises:
            ReaderError: there is no such column, or a cell is empty.
        """
        cells = self.column(name)
        if "" in cells:
            raise self.fault(cells.index(""), name, "an empty cell; fill it in or remove the row")
        return tuple(cells)

    def unique(self, name: str) -> tuple[str, ...]:
        """A column's cells, none of which is empty or there twice.

        Raises:
            ReaderError: there is no such column, a cell is empty, or two are equal.
        """
        cells = self.filled(name)
        if len(set(cells)) < len(cells):
            first: dict[str, int] = {}
            for row, cell in enumerate(cells):
                if cell in first:
                    line = self.lines[first[cell]]
                    why = f"{cell!r} stands in line {line} already; remove one of the two rows"
                    raise self.fault(row, name, why)
                first[cell] = row
        return cells

    def fault(self, row: int, column: str, why: str) -> ReaderError:
        """What is wrong in one cell."""
        return ReaderError(f"{self.path} line {self.lines[row]}, column {column!r}: {why}")


def read_table(path: Path, *required: str) -> Table:
    """Reads a CSV file; empty cells and columns without a name at a line's end are no fault.

    Some published headers name more, or fewer, such columns than their rows have.

    Args:
        path: ``.csv``, or ``.csv.gz``; UTF-8, with or without a byte order mark.
        required: columns that must be there.

    Raises:
        ReaderError: the file is not there, is damaged or no text, holds no rows, lacks a column,
            names one twice, or a row has too few cells or too many.
    """
    with opened(path) as lines:
        reader = csv.reader(lines)
        header = _header(path, next(reader, []))
        _must_have(path, header, required)
        # tuples of text, which the garbage collector does not walk through time and again
        found = [
            (_as_wide(path, reader.line_num, tuple(row), len(header)), reader.line_num)
            for row in reader
            if row
        ]
    if not found:
        raise ReaderError(f"{path} holds a header and no rows; fetch the file again")
    rows, lines_of = zip(*found, strict=True)
    return Table(path, header, rows, lines_of)


def first_cells(path: Path) -> tuple[str, ...]:
    """The header of a CSV file; empty where there is no such file, or it cannot be read."""
    if not path.is_file():
        return ()
    try:
        with opened(path) as lines:
            return tuple(cell.strip() for cell in next(csv.reader(lines), []))
    except ReaderError:
        return ()


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """A text file, open; plain or gzipped by its name, UTF-8 with or without a byte order mark.

    Raises:
        ReaderError: it is not there, is damaged, or is no UTF-8 text or no CSV.
    """
    if not path.is_file():
        raise ReaderError(f"there is no file {path}; fetch it from where the data set came from")
    try:
        with _open(path) as lines:
            yield lines
    except UnicodeDecodeError as fault:
        raise ReaderError(f"{path} is not UTF-8 text: {fault}; save it as UTF-8") from fault
    except csv.Error as fault:
        raise ReaderError(f"{path} is no CSV file: {fault}; fetch it again") from fault
    except (OSError, EOFError, zlib.error) as fault:
        raise ReaderError(f"{path} cannot be read: {fault}; fetch it again") from fault


def read_lines(path: Path, limit: int | None = None) -> list[str]:
    """The lines of a text file without the blanks around them.

    Args:
        path: of the file.
        limit: so many lines at most.

    Raises:
        ReaderError: as for `opened`.
    """
    with opened(path) as lines:
        return [line.strip() for line in islice(lines, limit)]


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _header(path: Path, cells: Sequence[str]) -> tuple[str, ...]:
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise ReaderError(f"{path} is empty; fetch it again")
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise ReaderError(f"{path} names a column twice: {some(twice)}; rename one of them")
    return tuple(names)


def _must_have(path: Path, header: Sequence[str], names: Sequence[str]) -> None:
    missing = [name for name in names if name not in header]
    if missing:
        there = some([repr(name) for name in header if name])
        raise ReaderError(
            f"{path} has no column {', '.join(map(repr, missing))}; it has {there}: add it, or "
            "take the file as it was published"
        )


def _as_wide(path: Path, line: int, row: Row, width: int) -> Row:
    if len(row) < width or any(row[width:]):
        raise ReaderError(
            f"{path} line {line}: {len(row)} cells where the header names {width}; quote cells "
            "that hold commas, or fetch the file again"
        )
    return row if len(row) == width else row[:width]
