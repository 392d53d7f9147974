"""An index that is rebuilt, tried until it is; told in the log, and for `status` in the database.

``storage.spaces.KnownSpace.progress`` holds it under ``index``, by the device UID of the node.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Engine

from dicom_node.index_keeper import StoppedBuildingError
from storage import spaces
from storage.outages import OUTAGES
from storage.spaces import KnownSpace, Progress
from storage.vectors.base import SnapshotError
from storage.vectors.metric import VectorError

log = logging.getLogger(__name__)

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 600.0
"""Before a rebuild that failed is tried again: a full disk is not to be filled each minute."""
FAULTS = (*OUTAGES, OSError, SnapshotError, VectorError)
"""Of a rebuild, which may be gone when it is tried again."""
TELL_S = 10.0
SILENT = timedelta(minutes=5)
"""Of who told nothing for so long nobody knows whether he runs."""


@dataclass(frozen=True)
class Rebuilding:
    """How far a node is with the index of a space.

    Attributes:
        at: when that was told, ISO 8601.
        done: vectors that are written.
        of: how many there are.
        per_s: vectors a second.
        fault: why the last try failed; empty if none did.
    """

    at: str
    done: int = 0
    of: int = 0
    per_s: float = 0.0
    fault: str = ""

    @property
    def share(self) -> float:
        """Of the vectors, that are written."""
        return self.done / max(1, self.of)

    def in_words(self) -> str:
        """For people."""
        if self.fault:
            return f"not rebuilt yet, answers come from the database; tried again: {self.fault}"
        return (
            f"being rebuilt, answers come from the database meanwhile: {self.done} of {self.of} "
            f"vectors ({self.share:.0%}), {self.per_s:.0f} a second"
        )


def rebuilding(space: KnownSpace) -> dict[str, Rebuilding]:
    """What nodes that can be taken to run tell of rebuilding a space's index, by device UID."""
    told: Mapping[str, Any] = space.progress.get("index", {})
    now = datetime.now(UTC)
    return {
        node: Rebuilding(**said)
        for node, said in told.items()
        if now - datetime.fromisoformat(said["at"]) < SILENT
    }


class RebuildProgress:
    """Tells how far one rebuild is, every ten seconds; a context manager.

    At its end nothing is told any more, unless it failed.
    """

    def __init__(self, engine: Engine, space_id: str, node: str, stop: threading.Event) -> None:
        self._engine = engine
        self._space_id = space_id
        self._node = node
        self._stop = stop
        self._began = self._told = monotonic()
        self._fault = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tell(Rebuilding(_now(), fault=self._fault) if self._fault else None)

    def reading(self, done: int, of: int) -> None:
        """Told how many vectors are written.

        Raises:
            StoppedBuildingError: the node is to stop.
        """
        if self._stop.is_set():
            raise StoppedBuildingError
        if monotonic() - self._told < TELL_S:
            return
        self._told = monotonic()
        per_s = done / (self._told - self._began)
        said = Rebuilding(_now(), done, of, per_s)
        log.info("the index of space %s is %s", self._space_id, said.in_words())
        self._tell(said)

    def failed(self, fault: str) -> None:
        """Told why it failed, once it has."""
        self._fault = fault

    def _tell(self, said: Rebuilding | None) -> None:
        def change(progress: Progress) -> None:
            index = progress.setdefault("index", {})
            index.pop(self._node, None)
            if said is not None:
                index[self._node] = asdict(said)

        try:
            with self._engine.begin() as connection:
                spaces.tell(connection, self._space_id, change)
        except OUTAGES as fault:  # it is told again, and the rebuild says what it meets
            log.info("not told how far the index is: %s", fault)


def until_rebuilt(
    rebuild: Callable[[RebuildProgress], None],
    progress: Callable[[], RebuildProgress],
    stop: threading.Event,
) -> None:
    """Rebuilds an index, as often as it takes, and waits longer each time.

    Args:
        rebuild: does it once, and tells how far it is.
        progress: made for each try.
        stop: set when the node is to stop.
    """
    wait_s = FIRST_WAIT_S
    while not stop.is_set():
        with progress() as told:
            try:
                rebuild(told)
            except StoppedBuildingError:
                log.info("the index is rebuilt after the next start")
                return
            except FAULTS as fault:
                told.failed(str(fault).partition("\n")[0])
                log.error(
                    "the index was not rebuilt, and answers come from the database; "
                    "it is tried again: %s",
                    fault,
                )
            else:
                return
        stop.wait(wait_s)
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)


def _now() -> str:
    return datetime.now(UTC).isoformat()
