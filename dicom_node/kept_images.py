"""Images kept for embedding again, as every encoder sees them: on disk, lossless, oldest go first.

A cache: what is not here can be read or fetched once more. These are patients' images, so only the
node's own account may read them.
"""

import hashlib
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dicom_node.kept_format import DamagedError, packed, plain, unpacked
from encoders.model_ready import Samples

log = logging.getLogger(__name__)

_SHARE = 16
"""Of the bound: so much is made free at once, and may be written before the folder is looked
through again, which takes a second for 100,000 files. Others may be writing here, too."""
_PLAIN_SHARE = 4
"""Of the bound: more than this is not kept as it is, however busy the node may be."""
_PLAIN, _ASIDE = "plain", "aside"
_NOT_KEPT = "images are not kept for embedding again"


@dataclass(frozen=True)
class KeptKey:
    """What an image is kept under: whatever decides how it looks.

    Attributes:
        sha256: of the data set that it was made of.
        frame: its frame number, from 1; None in a single-frame instance.
        window_rule: of the space that it was read for (``encoders.space.Space``).
    """

    sha256: str
    frame: int | None
    window_rule: str

    @property
    def name(self) -> str:
        """Its file's name."""
        text = f"{self.sha256}#{self.frame or 0}#{self.window_rule}"
        return hashlib.sha256(text.encode()).hexdigest()


class KeptImages:
    """A folder of images; any number of threads and processes may use it at once.

    Args:
        folder: made where it is not there, for the node's own account only.
        most_bytes: of all files together; 0 keeps none.
    """

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        self._folder = folder
        self._most = most_bytes
        self._room: int | None = None
        self._plain_room = 0
        self._lock = threading.Lock()
        self._told: set[str] = set()

    def put(self, key: KeptKey, samples: Samples) -> None:
        """Keeps an image, uint16 of shape (rows, columns); the oldest go where there is no room.

        A disk that does not take it is said once in the log: the study goes on without.
        """
        if self._most:
            self._keep(self._packed(key.name), packed(samples))

    def put_soon(self, key: KeptKey, samples: Samples) -> None:
        """The same, but packed later, by ``pack_one``: who is busy gets to know nothing of it."""
        if not self._most:
            return
        if samples.nbytes > self._plain_room and self._room is not None:
            self.put(key, samples)
        elif self._keep(self._folder / _PLAIN / key.name, plain(samples)):
            self._plain_room -= samples.nbytes

    def pack_one(self) -> bool:
        """Packs an image that is kept as it is; False if there is none, or it cannot be done.

        Until it is packed it stays as it is: it may be the last there is of its pixels.
        """
        try:
            path = _some_file(self._folder / _PLAIN)
            samples = None if path is None else self._read(path)
            return path is not None and samples is not None and self._pack(path, samples)
        except OSError as fault:
            self._tell_once("kept images cannot be packed", fault)
            return False

    def _pack(self, path: Path, samples: Samples) -> bool:
        place = self._packed(path.name)
        with suppress(FileNotFoundError):  # another process took one of them away
            times = path.stat()
            if not self._keep(place, packed(samples)):
                return False
            os.utime(place, ns=(times.st_atime_ns, times.st_mtime_ns))  # as old as before
            path.unlink()
            self._plain_room += samples.nbytes
        return True

    def get(self, key: KeptKey) -> Samples | None:
        """The image, uint16 of shape (rows, columns); None where it is not kept, or damaged."""
        # in this order: one that is being packed is there under both names for a moment
        found = self._read(self._folder / _PLAIN / key.name)
        return self._read(self._packed(key.name)) if found is None else found

    def _packed(self, name: str) -> Path:
        return self._folder / name[:2] / name

    def _read(self, path: Path) -> Samples | None:
        try:
            return unpacked(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as fault:  # another time it may be read
            self._tell_once("kept images cannot be read", fault)
            return None
        except DamagedError as fault:
            log.warning("kept image %s is damaged and removed: %s", path.name, fault)
            with suppress(OSError):
                path.unlink(missing_ok=True)
            return None

    def _keep(self, path: Path, data: bytes) -> bool:
        if len(data) > self._most:
            return False
        try:
            with self._lock:  # or one would count the room that another is about to fill
                self._make_room(len(data))
                self._write(path, data)
        except OSError as fault:
            self._tell_once(_NOT_KEPT, fault)
            return False
        self._told.discard(_NOT_KEPT)
        return True

    def _tell_once(self, what: str, fault: OSError) -> None:
        if what not in self._told:
            log.warning("%s: %s", what, fault)
        self._told.add(what)

    def _write(self, path: Path, data: bytes) -> None:
        """Aside first; not synced, for the checksum tells of a file that a power cut left half."""
        aside = self._folder / _ASIDE / f"{os.getpid()}-{threading.get_ident()}"
        for folder in (self._folder, aside.parent, path.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            aside.touch(mode=0o600)
            aside.write_bytes(data)
            aside.replace(path)
        except OSError:
            aside.unlink(missing_ok=True)
            raise

    def _make_room(self, size: int) -> None:
        if self._room is None or self._room < size:
            self._room = self._look_through(size)
        self._room -= size

    def _look_through(self, size: int) -> int:
        """Removes the oldest files if ``size`` bytes more are too many; returns the room for more.

        What a file was is no matter: one aside that a killed process left grows old, too.
        """
        share = max(size, self._most // _SHARE)
        found = sorted(_files(self._folder))
        total = sum(length for _, length, _ in found)
        if total + size > self._most:
            for _, length, path in found:
                if total + share <= self._most:
                    break
                path.unlink(missing_ok=True)
                total -= length
        as_it_is = sum(length for _, length, path in found if path.parent.name == _PLAIN)
        self._plain_room = self._most // _PLAIN_SHARE - as_it_is
        return min(self._most - total, share)


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """Time, length and path of each file beneath."""
    for path in folder.glob("*/*"):
        with suppress(FileNotFoundError):  # another process took it away
            status = path.stat()
            yield status.st_mtime, status.st_size, path


def _some_file(folder: Path) -> Path | None:
    """One of a folder's files; the others are not listed, for there may be ten thousand."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            return Path(entry.path)
    return None
