"""Writes the index's snapshots beside the work, and builds the engine that the settings ask for."""

import logging
import threading
from pathlib import Path
from time import monotonic

from storage.index import SnapshotError, VectorIndex, save_after
from storage.vectors.choice import EXACT, Choice

log = logging.getLogger(__name__)

LONG_S = 10.0
"""Building that takes longer tells how far it is, as often as this."""


class StoppedBuildingError(Exception):
    """The node is to stop; nobody waits for what was being built."""


class IndexKeeper:
    """Keeps an index's snapshot near what the index holds; one thread at a time writes it.

    Args:
        index: whose snapshot it is.
        path: of the snapshot.
        choice: the engine that is wanted.
    """

    def __init__(self, index: VectorIndex, path: Path, choice: Choice) -> None:
        self._index = index
        self._path = path
        self._choice = choice
        self._saved = index.watermark
        self._tried = False
        self._writing: threading.Thread | None = None
        self._stop = threading.Event()

    def look(self) -> None:
        """Begins to write a snapshot if it is time, and returns at once."""
        if self._writing is not None and self._writing.is_alive():
            return
        due = self._index.watermark - self._saved >= save_after(self._index.count, self._choice)
        if due or self._another_is_wanted():
            self._tried = True
            self._saved = self._index.watermark  # what fails is tried again after as many changes
            self._writing = threading.Thread(target=self._save, name="index-snapshot")
            self._writing.start()

    def _another_is_wanted(self) -> bool:
        """Whether the settings name another engine than the file has, at the start."""
        return not self._tried and self._index.count > 0 and self._index.choice != self._choice

    def end(self) -> None:
        """Waits for what is being written, and gives up what is being built."""
        self._stop.set()
        if self._writing is not None:
            self._writing.join()

    def close(self) -> None:
        """The same, and writes a last snapshot where that takes no building."""
        self.end()
        if self._choice == EXACT and self._index.watermark != self._saved:
            self._saved = self._index.watermark
            self._save()

    def _save(self) -> None:
        told = monotonic()

        def progress(done: int, of: int) -> None:
            nonlocal told
            if self._stop.is_set():
                raise StoppedBuildingError
            if monotonic() - told > LONG_S:
                told = monotonic()
                log.info("index %s is being built: %d of %d vectors", self._choice, done, of)

        try:
            self._index.save(self._path, self._choice, progress)
        except StoppedBuildingError:
            log.info("index %s is built after the next start", self._choice)
        except (OSError, SnapshotError) as fault:
            log.warning("the index snapshot was not written, answers go on without it: %s", fault)
