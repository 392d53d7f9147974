"""Files that the tests make."""

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from pathlib import Path


def write(path: Path, text: str) -> Path:
    """A text file, gzipped where its name says so; line ends as they stand."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_rows(path: Path, rows: Iterable[Sequence[object]]) -> Path:
    """A CSV file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return write(path, text.getvalue())


def touch(folder: Path, *names: str) -> None:
    """Empty files, with their folders."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def replace_in(path: Path, old: str, new: str) -> None:
    """Changes a text file; what is to be changed must be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
