"""Which open studies nothing came for: told by the monotonic clock, whatever the wall clock does.

The database keeps wall-clock times, and other processes write them too. Here they are only
compared with what they were before: a time that changed, forwards or backwards, is activity.
"""

import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import NamedTuple

Clock = Callable[[], float]


class _Seen(NamedTuple):
    last_received_at: datetime
    since: float


class QuietStudies:
    """Remembers since when each open study has been quiet; a new one counts from its first look.

    Args:
        close_after_s: how long a study must be quiet to be complete.
        clock: seconds that never go back.
    """

    def __init__(self, close_after_s: float, clock: Clock = time.monotonic) -> None:
        self._close_after_s = close_after_s
        self._clock = clock
        self._seen: dict[str, _Seen] = {}

    def look(self, open_studies: Mapping[str, datetime]) -> None:
        """Takes note of the open studies as they stand now: when the last instance of each came."""
        now = self._clock()
        before = self._seen
        self._seen = {
            uid: before[uid]
            if uid in before and before[uid].last_received_at == at
            else _Seen(at, now)
            for uid, at in open_studies.items()
        }

    def due(self, carried: Collection[str]) -> dict[str, datetime]:
        """Those quiet for long enough that no open association carries."""
        latest = self._clock() - self._close_after_s
        return {
            uid: seen.last_received_at
            for uid, seen in self._seen.items()
            if seen.since <= latest and uid not in carried
        }

    def next_due_s(self, carried: Collection[str]) -> float | None:
        """Seconds until the next of them may be due; None where there is none."""
        waiting = [seen.since for uid, seen in self._seen.items() if uid not in carried]
        return min(waiting) + self._close_after_s - self._clock() if waiting else None
