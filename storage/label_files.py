"""Label files: CSV by study, series, instance or accession number, read whole or refused."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from storage.answer import Label
from storage.csv_rows import CsvError, CsvRows, read_rows
from storage.label_columns import Columns, columns_of
from storage.label_lines import LabelError, LabelLine, fault_of_places, some_of
from storage.label_values import UNSAID, value_of

Step = Callable[[int], object]
"""Told of each so many more lines or labels that are done."""
EACH = 1000


def read_csv(
    path: Path,
    *,
    wide: bool = False,
    leave_out: Collection[str] = (),
    step: Step | None = None,
) -> list[LabelLine]:
    """The labels of a file, in its order (docs/labels.md); one that is wide says several in a line.

    Args:
        path: in UTF-8, the cells separated by commas, semicolons or tabs.
        wide: has a column for each label; told by the header where False.
        leave_out: columns that are no labels.
        step: told of each thousand lines.

    Raises:
        LabelError: columns are missing or lines malformed; nothing is returned then.
    """
    try:
        table = read_rows(path)
        columns = columns_of(table.header, wide=wide, leave_out=leave_out)
        return _parsed(table, columns, step)
    except CsvError as fault:
        raise LabelError(str(fault)) from fault
    except LabelError as fault:
        raise LabelError(f"{path}: {fault}") from fault


def _parsed(table: CsvRows, columns: Columns, step: Step | None) -> list[LabelLine]:
    lines: list[LabelLine] = []
    faults: list[str] = []
    of_row = _of_wide_row if columns.wide else _of_long_row
    for count, (number, row) in enumerate(table.rows, start=1):
        places = columns.places(row)
        fault = fault_of_places(places)
        if "\0" in "".join(row):  # which PostgreSQL text cannot hold
            fault = "holds a NUL character"
        if fault is not None:
            faults.append(f"line {number}: {fault}")
            continue
        source = columns.cell(row, "source")
        for said in of_row(columns, row):
            if isinstance(said, str):
                faults.append(f"line {number}: {said}")
            else:
                lines.append(LabelLine(label=said, source=source, line=number, **places))
        if step is not None and count % EACH == 0:
            step(EACH)
    if faults:
        raise LabelError(some_of(faults))
    return lines


def _of_long_row(columns: Columns, row: Sequence[str]) -> Iterator[Label | str]:
    """The label, or what is wrong."""
    name = columns.cell(row, "label") or columns.cell(row, "meaning")
    text = columns.cell(row, "value")
    code, scheme = columns.cell(row, "code"), columns.cell(row, "scheme")
    value = value_of(text)
    if not name:
        yield "names no label"
    elif value is None:
        yield f"{text[:40]!r} is no value: 1 (present), 0 (absent) or -1 (uncertain)"
    elif bool(code) != bool(scheme):
        yield "a code needs its scheme, such as SCT, and a scheme its code"
    else:
        yield Label(name, value, code or None, scheme or None)


def _of_wide_row(columns: Columns, row: Sequence[str]) -> Iterator[Label | str]:
    for name, at in columns.labels.items():
        text = row[at]
        if text.strip().casefold() in UNSAID:
            continue
        value = value_of(text)
        if value is None:
            yield (
                f"column {name}: {text[:40]!r} is no value: 1, 0, -1 or empty; a column that is "
                "no label can be left out"
            )
        else:
            yield Label(name, value)
