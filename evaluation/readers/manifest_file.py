"""Reads the manifest of an image collection: one row of a CSV file for each image."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

REQUIRED = ("file", "patient_id", "labels")


class ManifestError(Exception):
    """A manifest cannot be used; the message names the file and the row, column or image."""


@dataclass(frozen=True)
class ManifestRow:
    """One image of a collection.

    Attributes:
        path: the image file, beside or below the manifest; seen to exist unless nobody looked.
        patient_id: the group that is left out when this image asks; never empty.
        labels: the labels (a manifest separates them by ``|``), none where there are none.
        columns: every column as text, those that only some collections have included.
        line: of the manifest.
    """

    path: Path
    patient_id: str
    labels: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict, compare=False)
    line: int = field(default=0, compare=False)

    def column(self, name: str) -> str:
        """Return a further column's text (``view``, ``set`` ...).

        Raises:
            ManifestError: the manifest has no such column.
        """
        if name not in self.columns:
            raise ManifestError(f"the manifest of {self.path} has no column {name!r}")
        return self.columns[name]


def read_manifest(manifest: Path, *, look: bool = True) -> tuple[ManifestRow, ...]:
    """Return the rows of a manifest in the order of the file.

    Args:
        manifest: CSV, UTF-8, with a header that has at least ``file`` (relative to the manifest's
            folder), ``patient_id`` and ``labels``.
        look: whether the image files must be there.

    Raises:
        ManifestError: the manifest, one of these columns, a patient id, a cell or an image file is
            missing, or an image lies outside the manifest's folder.
    """
    if not manifest.is_file():
        raise ManifestError(f"there is no manifest {manifest}")
    with manifest.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        header = reader.fieldnames or ()
        missing = [name for name in REQUIRED if name not in header]
        if missing:
            raise ManifestError(f"{manifest} has no column {', '.join(map(repr, missing))}")
        return tuple(_row(manifest, reader.line_num, columns, look) for columns in reader)


def _row(manifest: Path, line: int, columns: dict[str, str], look: bool) -> ManifestRow:
    # DictReader files surplus cells under None and fills missing ones with None
    if None in columns or None in columns.values():
        raise ManifestError(f"{manifest} line {line}: not as many cells as the header has")
    if not columns["patient_id"]:
        raise ManifestError(f"{manifest} line {line}: patient_id is empty")
    return ManifestRow(
        path=_image(manifest, line, columns["file"], look),
        patient_id=columns["patient_id"],
        labels=tuple(label for label in columns["labels"].split("|") if label),
        columns=MappingProxyType(columns),
        line=line,
    )


def _image(manifest: Path, line: int, name: str, look: bool) -> Path:
    path = manifest.parent / name
    if not path.resolve().is_relative_to(manifest.parent.resolve()):
        raise ManifestError(f"{manifest} line {line}: {name!r} lies outside the manifest's folder")
    if look and not path.is_file():
        raise ManifestError(f"{manifest} line {line}: there is no image {path}")
    return path
