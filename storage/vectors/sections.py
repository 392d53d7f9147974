"""A file of named sections, mapped into memory: written aside, synced, renamed, and checked.

Layout: one line of JSON, filled up with blanks to ``HEAD_BYTES``, and the sections, each filled up
with zeros to a multiple of ``ALIGNED``. The line begins with its own CRC-32; it says what the file
is of, and of each section where it begins, how long it is, and its CRC-32, zeros included. What
belongs together stands in one file, so that no part can be of another day than the rest.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from zlib_ng import zlib_ng

from storage.durable import sync_folder

HEAD_BYTES = 4096
ALIGNED = 4096
_CHECK = 9  # hexadecimal digits and a blank

Bytes = NDArray[np.uint8]


class BusyError(BlockingIOError):
    """Somebody else writes the same file; the message says which."""


class SectionsError(Exception):
    """A file that must not be trusted; the message says why."""


def write(path: Path, about: Mapping[str, Any], sections: Mapping[str, Iterable[Bytes]]) -> None:
    """Writes a file aside and renames it, so that a reader sees the old one or the new one.

    Args:
        path: of the file.
        about: what JSON can say of the whole.
        sections: the bytes of each, some at a time.

    Raises:
        OSError: the disk is full, or fails, or (BusyError) another process writes the same file;
            the old file stays as it was.
    """
    aside = path.with_name(f"{path.name}.writing")
    with _alone(aside) as file, ExitStack() as undo:
        undo.callback(aside.unlink)
        file.write(bytes(HEAD_BYTES))
        table = {name: _section(file, parts) for name, parts in sections.items()}
        file.seek(0)
        file.write(_line({**about, "sections": table}))
        file.flush()
        os.fsync(file.fileno())
        aside.replace(path)
        undo.pop_all()
    sync_folder(path.parent)


@contextmanager
def _alone(aside: Path) -> Iterator[BinaryIO]:
    """A new file that nobody else writes; one that a killed process left is begun anew."""
    while True:
        with os.fdopen(os.open(aside, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as fault:
                raise BusyError(f"another process is writing {aside.name}") from fault
            if aside.exists() and os.path.samestat(os.fstat(file.fileno()), aside.stat()):
                file.truncate(0)
                yield file
                return
            # whoever had it locked has renamed it meanwhile: this is the file that readers see


def _section(file: BinaryIO, parts: Iterable[Bytes]) -> list[int]:
    begin = file.tell()
    check = 0
    for part in parts:
        check = _written(file, np.ascontiguousarray(part).reshape(-1).view(np.uint8), check)
    length = file.tell() - begin
    return [begin, length, _written(file, np.zeros(-length % ALIGNED, np.uint8), check)]


def _written(file: BinaryIO, data: Bytes, check: int) -> int:
    file.write(data.data)
    return int(zlib_ng.crc32(data.data, check))


def _line(said: Mapping[str, Any]) -> bytes:
    text = json.dumps(said).encode().ljust(HEAD_BYTES - _CHECK - 1) + b"\n"
    if len(text) != HEAD_BYTES - _CHECK:
        raise ValueError(f"a head of {len(text)} bytes does not fit")
    return b"%08x " % zlib_ng.crc32(text) + text


def read(path: Path) -> tuple[dict[str, Any], dict[str, Bytes]]:
    """What ``write`` wrote: what it is of, and its sections, mapped and not copied.

    Raises:
        SectionsError: the file is cut short, altered, or none of ours.
        FileNotFoundError: there is none.
    """
    with path.open("rb") as file:
        about, table = _head(file.read(HEAD_BYTES))
        size = os.fstat(file.fileno()).st_size
        whole = np.memmap(file, dtype=np.uint8, mode="r")
    sections = {}
    for name, (begin, length, check) in table.items():
        end = begin + length + -length % ALIGNED
        if end > size:
            raise SectionsError("it is cut short")
        if zlib_ng.crc32(whole[begin:end].data) != check:
            raise SectionsError(f"the checksum of its {name} does not match: it is altered")
        sections[name] = np.asarray(whole[begin : begin + length])
    return about, sections


def _head(line: bytes) -> tuple[dict[str, Any], dict[str, tuple[int, int, int]]]:
    check, text = line[:_CHECK], line[_CHECK:]
    if check != b"%08x " % zlib_ng.crc32(text):
        raise SectionsError("its first line is no head of ours, or it is altered")
    about = json.loads(text)
    return about, {name: tuple(entry) for name, entry in about.pop("sections").items()}
