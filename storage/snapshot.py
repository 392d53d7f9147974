"""One file that holds an index: what it is of, how far it reaches, and a checksum over it all.

Layout: one line of JSON, a line feed, then the serialized index. Ids and vectors stand in the one
payload, so that they can never part company.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from storage.durable import sync_folder

FORMAT = "likeness-index-1"


class SnapshotError(Exception):
    """A snapshot that must not be trusted; the message says why."""


@dataclass(frozen=True)
class SnapshotHeader:
    """What a snapshot is of. ``watermark`` is the last change of the space that it holds."""

    format: str
    space_id: str
    dimension: int
    count: int
    watermark: int
    sha256: str

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """Reads the first line of a snapshot; raises SnapshotError where it is not one."""
        try:
            header = cls(**json.loads(line))
        except (ValueError, TypeError) as fault:
            raise SnapshotError("its first line is not a snapshot's header") from fault
        if header.format != FORMAT:
            raise SnapshotError(f"its format is {header.format!r}, this version reads {FORMAT!r}")
        return header


def write(path: Path, header: SnapshotHeader, payload: bytes) -> None:
    """Writes aside, syncs, and renames, so that a reader sees the old snapshot or the new one."""
    aside = path.with_suffix(".writing")
    with aside.open("wb") as file:
        file.write(json.dumps(asdict(header)).encode() + b"\n")
        file.write(payload)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    sync_folder(path.parent)


def read(path: Path) -> tuple[SnapshotHeader, bytes]:
    """The header and the payload, proved by the checksum.

    Raises:
        SnapshotError: the file is cut short, altered, or of another format.
        FileNotFoundError: there is none.
    """
    with path.open("rb") as file:
        header = SnapshotHeader.parse(file.readline(4096))
        payload = file.read()
    if digest(payload) != header.sha256:
        raise SnapshotError("its checksum does not match: it is cut short or altered")
    return header, payload


def digest(payload: bytes) -> str:
    """The checksum that a header carries."""
    return hashlib.sha256(payload).hexdigest()


def set_aside(path: Path) -> Path:
    """Renames a snapshot that is not to be trusted, and returns its new name."""
    number = 1
    while (name := path.with_name(f"{path.name}.corrupt-{number}")).exists():
        number += 1
    return path.rename(name)
