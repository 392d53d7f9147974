"""What the filters can be set to, counted not more often than readers would notice."""

import threading
from collections.abc import Callable
from time import monotonic

from sqlalchemy.engine import Connection

from storage import embeddings, facets
from storage.answer import Answer
from storage.facets import Facets

KEPT_S = 30.0
"""Counting reads every row of the archive, and a choice that is some seconds old harms nobody:
what is searched is never taken from here."""


class RecentFacets:
    """Facets by space and modality groups; it may be used by several threads at once."""

    def __init__(self, kept_s: float = KEPT_S, clock: Callable[[], float] = monotonic) -> None:
        self._kept_s = kept_s
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[tuple[str, ...], tuple[float, Facets]] = {}

    def of(self, connection: Connection, answer: Answer) -> Facets:
        """What the studies that are comparable with the query can be chosen by."""
        space, query = answer.space.id, answer.query
        images = embeddings.of_study(connection, space_id=space, study_id=query.id)
        groups = sorted({embeddings.modality_group(stored.image.modality) for stored in images})
        with self._lock:  # readers who come together count once
            known = self._known.get((space, *groups))
            if known is not None and self._clock() - known[0] < self._kept_s:
                return known[1]
            found = facets.of_groups(connection, space_id=space, modality_groups=groups)
            self._known[space, *groups] = self._clock(), found
            return found
