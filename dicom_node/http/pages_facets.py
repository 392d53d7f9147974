"""What the filters can be set to, counted not more often than readers would notice."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from dataclasses import dataclass
from time import monotonic

from sqlalchemy import Engine

from storage import facets
from storage.facets import Facets

KEPT_S = 30.0
"""Counting reads every row of the archive, and a choice that is some seconds old harms nobody:
what is searched is never taken from here."""
SHARE = 20
"""Counting takes one part in so many of the time at most, however large the archive is."""
PATIENCE_S = 1.0
"""So long a page waits for the first count; then it comes without choices, rather than late."""


@dataclass(frozen=True)
class _Counted:
    facets: Facets
    due_at: float


class RecentFacets:
    """Facets by space and modality groups; it may be used by several threads at once."""

    def __init__(
        self,
        engine: Engine,
        *,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._engine = engine
        self._patience_s = patience_s
        self._clock = clock
        self._lock = threading.Lock()
        self._counting = ThreadPoolExecutor(1, "facets")
        self._under_way: dict[tuple[str, ...], Future[_Counted]] = {}
        self._known: dict[tuple[str, ...], _Counted] = {}

    def of(self, space_id: str, modality_groups: Sequence[str]) -> Facets:
        """What the studies of these groups can be chosen by, as it was counted last.

        One thread counts anew, behind whoever asks. None at all for the first who ask of a large
        archive.
        """
        key = (space_id, *modality_groups)
        with self._lock:
            known = self._known.get(key)
            if known is not None and self._clock() < known.due_at:
                return known.facets
            if key not in self._under_way:
                self._under_way[key] = self._counting.submit(self._count, key)
            counting = self._under_way[key]
        if known is not None:
            return known.facets
        try:
            return counting.result(self._patience_s).facets
        except NotYetError:
            return Facets()

    def _count(self, key: tuple[str, ...]) -> _Counted:
        began = self._clock()
        try:
            with self._engine.connect() as connection:
                found = facets.of_groups(connection, space_id=key[0], modality_groups=key[1:])
            now = self._clock()
            counted = _Counted(found, now + max(KEPT_S, SHARE * (now - began)))
            with self._lock:
                self._known[key] = counted
            return counted
        finally:
            with self._lock:
                del self._under_way[key]
