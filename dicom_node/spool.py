"""The spool: what was received and acknowledged, durable under names that we made.

A file is written aside, synced, renamed, and its folder synced, before anybody is told of it.
The network's UIDs never name a file. Who sent a file stands in its File Meta Information
(PS3.10 7.1) and when it came in its name, so that the spool alone can rebuild the database.
"""

import json
import mmap
import os
import re
import secrets
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from dicom_node.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from storage.durable import sync_folder

_TIME = "%Y%m%d/%H%M%S.%f"
_SUFFIX = ".dcm"
_ASIDE = ".part"
_BUFFER = 1 << 18
_OURS = re.compile(r"\d{8}/\d{6}\.\d{6}-[0-9a-f]{8}\.dcm", re.ASCII)


def file_meta(
    *, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, calling_ae: str
) -> bytes:
    """Preamble, prefix and File Meta Information (PS3.10 7.1) for a spooled instance.

    The UIDs are written as they came, valid or not; what is not ASCII in them as "?".
    """
    elements = (
        _element(0x0001, b"OB", b"\0\1"),
        _element(0x0002, b"UI", _text(sop_class_uid, b"\0")),
        _element(0x0003, b"UI", _text(sop_instance_uid, b"\0")),
        _element(0x0010, b"UI", _text(transfer_syntax_uid, b"\0")),
        _element(0x0012, b"UI", _text(IMPLEMENTATION_CLASS_UID, b"\0")),
        _element(0x0013, b"SH", _text(IMPLEMENTATION_VERSION_NAME, b" ")),
        _element(0x0016, b"AE", _text(calling_ae, b" ")) if calling_ae else b"",
    )
    body = b"".join(elements)
    group_length = _element(0x0000, b"UL", struct.pack("<I", len(body)))
    return b"\0" * 128 + b"DICM" + group_length + body


def _element(element: int, vr: bytes, value: bytes) -> bytes:
    length = struct.pack("<2xI" if vr == b"OB" else "<H", len(value))
    return struct.pack("<HH", 0x0002, element) + vr + length + value


def _text(value: str, padding: bytes) -> bytes:
    encoded = value.encode("ascii", "replace")
    return encoded + padding * (len(encoded) % 2)


class SpoolFile:
    """A file on its way into the spool: nobody knows of it until it is kept."""

    def __init__(self, spool: "Spool", head: bytes) -> None:
        self._spool = spool
        self._path = spool.aside / f"{secrets.token_hex(8)}{_ASIDE}"
        spool.aside.mkdir(exist_ok=True)
        self._file = self._path.open("x+b", buffering=_BUFFER)
        self._start = len(head)
        self.write(head)

    def write(self, piece: bytes | memoryview) -> None:
        """Appends to the file.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        self._file.write(piece)

    @contextmanager
    def data_set(self) -> Iterator[tuple[bytes | mmap.mmap, int]]:
        """What was written so far, and where the data set begins in it."""
        self._file.flush()
        with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data, self._start

    def keep(self) -> str:
        """Makes the file durable and returns the name that it has in the spool from now on.

        Raises:
            OSError: the disk is full or cannot be written; nothing is left behind then.
        """
        return self._spool.keep(self._synced())

    def hand_over(self, place: Path) -> None:
        """Puts the file where somebody waits for it, on the same disk; it is not kept durably.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        self._file.close()
        self._path.rename(place)

    def quarantine(self, reason: str) -> Path:
        """Makes the file durable in the quarantine, with its reason beside it.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        return self._spool.set_aside(self._synced(), _new_name(), reason)

    def discard(self) -> None:
        """Forgets the file; it may be incomplete, and the disk may have failed."""
        with suppress(OSError):  # closing writes out what is buffered: of no use now
            self._file.close()
        with suppress(OSError):  # a disk that became read-only; the next start sweeps
            self._path.unlink(missing_ok=True)

    def _synced(self) -> Path:
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError:
            self.discard()
            raise
        return self._path


class Spool:
    """Files under ``folder/YYYYMMDD/``, and beside them the quarantine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "spool"
        self.aside = self.folder / "incoming"
        self.quarantine_folder = folder / "quarantine"
        folder.mkdir(parents=True, exist_ok=True)
        for needed in (self.folder, self.aside, self.quarantine_folder):
            needed.mkdir(mode=0o700, exist_ok=True)  # patients' images are nobody else's

    def begin(self, head: bytes) -> SpoolFile:
        """A new file that starts with ``head``, what ``file_meta`` made.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        return SpoolFile(self, head)

    def put(self, *parts: bytes | memoryview) -> str:
        """Writes a file durably and returns its name.

        Raises:
            OSError: the disk is full or cannot be written; nothing is left behind then.
        """
        file = self.begin(b"")
        try:
            for part in parts:
                file.write(part)
        except OSError:
            file.discard()
            raise
        return file.keep()

    def keep(self, written: Path) -> str:
        """Takes in a file that was written aside and synced; returns its name.

        Raises:
            OSError: the disk cannot be written; the file is gone then.
        """
        name = _new_name()
        path = self.path(name)
        try:
            self._rename(written, path)
            sync_folder(path.parent)
        except OSError:
            written.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            raise
        return name

    def _rename(self, written: Path, path: Path) -> None:
        """The day's folder may be new, or just have been removed because it was empty."""
        try:
            written.rename(path)
        except FileNotFoundError:
            path.parent.mkdir(exist_ok=True)
            sync_folder(self.folder)
            written.rename(path)

    def path(self, name: str) -> Path:
        """Where the file of that name lies."""
        return self.folder / name

    def names(self) -> Iterator[str]:
        """The names of all complete files of ours, oldest first."""
        for day in sorted(entry for entry in self.folder.iterdir() if entry.is_dir()):
            with suppress(FileNotFoundError):  # retention removed the day, empty, meanwhile
                names = [f"{day.name}/{path.name}" for path in sorted(day.iterdir())]
                yield from filter(_OURS.fullmatch, names)

    def sweep(self) -> int:
        """Removes what a crash left half written (never acknowledged); returns how many."""
        left = list(self.aside.glob(f"*{_ASIDE}"))
        for path in left:
            path.unlink()
        return len(left)

    def remove(self, name: str) -> None:
        """Removes a file that is needed no longer."""
        self.path(name).unlink(missing_ok=True)

    def quarantine(self, name: str, reason: str) -> Path:
        """Moves a file that cannot be worked out of the spool, with its reason beside it."""
        return self.set_aside(self.path(name), name, reason)

    def set_aside(self, path: Path, name: str, reason: str) -> Path:
        """Moves any file into the quarantine under ``name``, with its reason beside it.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        target = self.quarantine_folder / name.replace("/", "-")
        note = {"reason": reason, "received_at": received_at(name).isoformat()}
        beside = target.with_suffix(".json")
        try:
            beside.write_text(json.dumps(note) + "\n", encoding="utf-8")
            path.rename(target)
            sync_folder(self.quarantine_folder)
        except OSError:
            with suppress(OSError):
                beside.unlink(missing_ok=True)  # a full disk leaves it empty
            raise
        return target

    def quarantined(self) -> Iterator[tuple[str, str]]:
        """Each quarantined file's name and reason, oldest first."""
        for note in sorted(self.quarantine_folder.glob("*.json")):
            reason = json.loads(note.read_text(encoding="utf-8"))["reason"]
            yield note.with_suffix(_SUFFIX).name, str(reason)


def received_at(name: str) -> datetime:
    """When a spooled file came, from its name; UTC."""
    return datetime.strptime(name.rsplit("-", 1)[0], _TIME).replace(tzinfo=UTC)


def _new_name() -> str:
    return datetime.now(UTC).strftime(_TIME) + f"-{secrets.token_hex(4)}{_SUFFIX}"
