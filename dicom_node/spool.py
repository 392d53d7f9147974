"""The spool: what was received and acknowledged, durable under names that we made.

A file is written aside, synced, renamed, and its folder synced, before anybody is told of it.
The network's UIDs never name a file. Who sent a file stands in its File Meta Information
(PS3.10 7.1) and when it came in its name, so that the spool alone can rebuild the database.
"""

import json
import os
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from dicom_node.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from storage.durable import sync_folder

_TIME = "%Y%m%d/%H%M%S.%f"
_SUFFIX = ".dcm"
_ASIDE = ".part"
_OURS = re.compile(r"\d{8}/\d{6}\.\d{6}-[0-9a-f]{8}\.dcm", re.ASCII)


def file_meta(
    *, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, calling_ae: str
) -> bytes:
    """Preamble, prefix and File Meta Information (PS3.10 7.1) for a spooled instance."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    if calling_ae:
        meta.SourceApplicationEntityTitle = calling_ae
    buffer = DicomBytesIO()
    write_file_meta_info(buffer, meta)
    return b"\0" * 128 + b"DICM" + buffer.getvalue()


class Spool:
    """Files under ``folder/YYYYMMDD/``, and beside them the quarantine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "spool"
        self.quarantine_folder = folder / "quarantine"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.quarantine_folder.mkdir(parents=True, exist_ok=True)

    def put(self, *parts: bytes | memoryview) -> str:
        """Writes a file durably and returns its name.

        Raises:
            OSError: the disk is full or cannot be written; nothing is left behind then.
        """
        name = datetime.now(UTC).strftime(_TIME) + f"-{secrets.token_hex(4)}{_SUFFIX}"
        path = self.path(name)
        self._day_folder(path.parent)
        aside = path.with_suffix(_ASIDE)
        try:
            _write_synced(aside, parts)
            aside.rename(path)
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
        return name

    def _day_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            folder.mkdir(exist_ok=True)
            sync_folder(self.folder)

    def path(self, name: str) -> Path:
        """Where the file of that name lies."""
        return self.folder / name

    def names(self) -> Iterator[str]:
        """The names of all complete files of ours, oldest first."""
        for day in sorted(entry for entry in self.folder.iterdir() if entry.is_dir()):
            names = (f"{day.name}/{path.name}" for path in sorted(day.iterdir()))
            yield from filter(_OURS.fullmatch, names)

    def sweep(self) -> int:
        """Removes what a crash left half written (never acknowledged); returns how many."""
        left = list(self.folder.glob(f"*/*{_ASIDE}"))
        for path in left:
            path.unlink()
        return len(left)

    def remove(self, name: str) -> None:
        """Removes a file that is needed no longer."""
        self.path(name).unlink(missing_ok=True)

    def quarantine(self, name: str, reason: str) -> Path:
        """Moves a file that cannot be worked out of the spool, with its reason beside it."""
        target = self.quarantine_folder / name.replace("/", "-")
        note = {"reason": reason, "received_at": received_at(name).isoformat()}
        target.with_suffix(".json").write_text(json.dumps(note) + "\n", encoding="utf-8")
        self.path(name).rename(target)
        sync_folder(self.quarantine_folder)
        return target

    def quarantined(self) -> Iterator[tuple[str, str]]:
        """Each quarantined file's name and reason, oldest first."""
        for note in sorted(self.quarantine_folder.glob("*.json")):
            reason = json.loads(note.read_text(encoding="utf-8"))["reason"]
            yield note.with_suffix(_SUFFIX).name, str(reason)


def received_at(name: str) -> datetime:
    """When a spooled file came, from its name; UTC."""
    return datetime.strptime(name.rsplit("-", 1)[0], _TIME).replace(tzinfo=UTC)


def _write_synced(path: Path, parts: tuple[bytes | memoryview, ...]) -> None:
    with path.open("xb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
