"""Instances that a peer was asked to send here by C-MOVE, told from those that it sends by itself.

Who asks marks the instance as awaited, in a file that it holds locked; the receiving process
hands one that comes over to whoever holds the lock, instead of spooling it. A mark that nobody
holds was left by a process that was killed, and counts for nothing.
"""

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dicom_node.retrieving.retriever import RetrieverAwayError

_MARK, _LANDED = ".awaited", ".dcm"


class Awaited:
    """Marks in a folder of the spool, so that what comes is only renamed to get there."""

    def __init__(self, spool_folder: Path) -> None:
        self.folder = spool_folder / "awaited"

    @contextmanager
    def awaiting(self, sop_instance_uid: str) -> Iterator[Path]:
        """For as long as the block lasts, the instance is awaited; yields where it will land.

        Raises:
            RetrieverAwayError: another process awaits it already.
            OSError: the spool cannot be written.
        """
        self.folder.mkdir(mode=0o700, exist_ok=True)
        landed = self._landed(sop_instance_uid)
        mark = landed.with_suffix(_MARK)
        with mark.open("a") as file:
            if not _lock(file):
                raise RetrieverAwayError(f"{sop_instance_uid} is being fetched by another process")
            try:
                landed.unlink(missing_ok=True)  # what came too late for an earlier asking
                yield landed
            finally:
                mark.unlink(missing_ok=True)
                landed.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Removes what came when nobody waited for it any more, and marks that nobody holds."""
        for left in [*self.folder.glob(f"*{_LANDED}"), *self.folder.glob(f"*{_MARK}")]:
            if not _is_held(left.with_suffix(_MARK)):
                left.unlink(missing_ok=True)

    def place_for(self, sop_instance_uid: str) -> Path | None:
        """Where an instance is to be put that is awaited just now; None if it is not."""
        landed = self._landed(sop_instance_uid)
        return landed if _is_held(landed.with_suffix(_MARK)) else None

    def _landed(self, sop_instance_uid: str) -> Path:
        # the network's UIDs name no file
        return self.folder / (hashlib.sha256(sop_instance_uid.encode()).hexdigest() + _LANDED)


def _is_held(mark: Path) -> bool:
    try:
        with mark.open() as file:
            return not _lock(file)
    except FileNotFoundError:
        return False


def _lock(file: IO[str]) -> bool:
    """Whether nobody else holds the file; released when it is closed."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
