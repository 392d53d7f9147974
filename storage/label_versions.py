"""What sources say and said: their versions, and the labels of one version, line by line."""

import csv
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TextIO

from sqlalchemy import func, select, text
from sqlalchemy.engine import Connection

from storage.label_lines import LabelError
from storage.tables import Label as LabelRow
from storage.tables import LabelImport, SupersededLabel

EXPORTED = (
    "study_instance_uid",
    "series_instance_uid",
    "sop_instance_uid",
    "label",
    "value",
    "code",
    "scheme",
    "source",
)
AT_ONCE = 5000
_WORD = """
    SELECT study_instance_uid, series_instance_uid, sop_instance_uid, name, value, code, scheme,
        label_imports.source
    FROM {table} AS word JOIN studies ON studies.id = study_id
        JOIN label_imports ON label_imports.id = import_id
"""
_ORDER = " ORDER BY 1, 2, 3, 4, 8"
_NOW = _WORD.format(table="labels") + "WHERE :all OR label_imports.source = ANY(:sources)" + _ORDER
# of the words that were said up to a version, those that nothing before its end superseded
_THEN = (
    _WORD.format(table="labels")
    + "WHERE label_imports.source = :source AND version <= :version UNION ALL"
    + _WORD.format(table="superseded_labels")
    + "WHERE label_imports.source = :source AND version <= :version AND superseded_by > :made"
    + _ORDER
)


@dataclass(frozen=True)
class Version:
    """One import of a source: ``words`` is how many labels it said of studies that were here."""

    version: int
    kind: str
    made_at: datetime
    words: int
    sha256: str | None


@dataclass(frozen=True)
class Source:
    """Who says so, how many labels stand and how many were superseded, and all versions."""

    name: str
    standing: int
    superseded: int
    versions: tuple[Version, ...]


def sources(connection: Connection) -> list[Source]:
    """Everybody who ever said something, by name, with their versions in order."""
    standing = _counted(connection, LabelRow)
    superseded = _counted(connection, SupersededLabel)
    rows = connection.execute(
        select(
            LabelImport.source,
            LabelImport.version,
            LabelImport.kind,
            LabelImport.made_at,
            LabelImport.words,
            LabelImport.sha256,
        ).order_by(LabelImport.source, LabelImport.version)
    )
    versions: dict[str, list[Version]] = {}
    for source, version, kind, made_at, words, sha256 in rows:
        told = Version(version, kind, made_at, words, sha256)
        versions.setdefault(source, []).append(told)
    return [
        Source(name, standing.get(name, 0), superseded.get(name, 0), tuple(all_of))
        for name, all_of in versions.items()
    ]


def _counted(
    connection: Connection, table: type[LabelRow] | type[SupersededLabel]
) -> dict[str, int]:
    counts = select(table.import_id, func.count().label("words")).group_by(table.import_id)
    of_import = counts.subquery()
    rows = connection.execute(
        select(LabelImport.source, func.sum(of_import.c.words))
        .join(of_import, of_import.c.import_id == LabelImport.id)
        .group_by(LabelImport.source)
    )
    return {source: int(words) for source, words in rows}


def names(connection: Connection, only: Collection[str] = ()) -> list[str]:
    """What the labels that stand are called; of some sources, if any are named."""
    wanted = select(LabelRow.name).distinct().order_by(LabelRow.name)
    if only:
        wanted = wanted.where(LabelRow.source.in_(only))
    return list(connection.execute(wanted).scalars())


def must_know(connection: Connection, names: Collection[str]) -> None:
    """Sees to it that sources are known.

    Raises:
        LabelError: one never said anything.
    """
    known = set(connection.execute(select(LabelImport.source).distinct()).scalars())
    if strange := sorted(set(names) - known):
        raise LabelError(f"no labels ever came from {', '.join(strange)}; `labels list` shows all")


def write_csv(
    connection: Connection,
    file: TextIO,
    *,
    only: Collection[str] = (),
    version: int | None = None,
) -> int:
    """Writes labels as ``likeness labels import`` takes them again; returns how many.

    Args:
        connection: is in a transaction.
        file: is written to, after a header line.
        only: the sources that are wanted, all where it is empty.
        version: of the one source in ``only``, what it said when that version was its last.

    Raises:
        LabelError: there is no such source or version.
    """
    must_know(connection, only)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(EXPORTED)
    count = 0
    for some in _lines(connection, only, version):
        writer.writerows(some)
        count += len(some)
    return count


def _lines(
    connection: Connection, only: Collection[str], version: int | None
) -> Iterator[list[tuple[object, ...]]]:
    if version is None:
        given: dict[str, object] = {"all": not only, "sources": list(only)}
        query = _NOW
    else:
        (source,) = only
        made = _import_of(connection, source, version)
        given = {"source": source, "version": version, "made": made}
        query = _THEN
    rows = connection.execute(text(query).execution_options(yield_per=AT_ONCE), given)
    for some in rows.partitions():
        yield [tuple("" if cell is None else cell for cell in row) for row in some]


def _import_of(connection: Connection, source: str, version: int) -> int:
    made = connection.execute(
        select(LabelImport.id).where(LabelImport.source == source, LabelImport.version == version)
    ).scalar_one_or_none()
    if made is None:
        raise LabelError(f"{source} has no version {version}; `labels list` shows all")
    return made
