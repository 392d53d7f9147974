"""The files of a report, each there as a whole or not at all."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from evaluation.collection import Collection
from evaluation.report import tables
from evaluation.report.as_json import as_json
from evaluation.report.document import Document
from evaluation.report.page import page

REPORT = "report.json"
OPTIONAL = frozenset({"probes.csv", "ablations.csv", "abstentions.csv", "drifts.csv"})
"""Tables that a report has only where they were asked for."""


def write(document: Document, collection: Collection, folder: Path) -> list[Path]:
    """Writes ``report.json``, the CSV tables and ``report.html``; returns their paths.

    Each is written aside and renamed: who reads while it is written sees the old one. A table of
    what was not asked for is not written, and one of an earlier report does not stay beside this.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = [_written(folder / name, lines) for name, lines in _files(document, collection)]
    for name in OPTIONAL - {path.name for path in written}:
        (folder / name).unlink(missing_ok=True)
    return written


def _files(document: Document, collection: Collection) -> Iterator[tuple[str, Iterable[str]]]:
    yield REPORT, (as_json(document),)
    yield "figures.csv", tables.figures(document)
    yield "classes.csv", tables.classes(document)
    yield "confounders.csv", tables.confounders(document)
    yield "comparisons.csv", tables.comparisons(document)
    yield "confusions.csv", tables.confusions(document)
    yield "neighbours.csv", tables.neighbours(document, collection)
    if document.probes is not None:
        yield "probes.csv", tables.probes(document)
    if document.ablations is not None:
        yield "ablations.csv", tables.ablations(document)
    if document.shadow is not None:
        yield "abstentions.csv", tables.abstentions(document)
        yield "drifts.csv", tables.drifts(document)
    yield "report.html", (page(document),)


def _written(path: Path, lines: Iterable[str]) -> Path:
    aside = path.with_name(f".{path.name}.part")
    try:
        # a name that came out of a damaged file may hold what UTF-8 cannot
        with aside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return path
