"""Keeps the sketches that percentiles come from near the archive, while nothing else is to do."""

import logging
from collections.abc import Callable
from time import monotonic

from sqlalchemy import Engine

from dicom_node.index_kinds import IndexOwner
from storage.outages import OUTAGES
from storage.rules import percentiles

log = logging.getLogger(__name__)

LOOK_S = 60.0
"""So often it is looked whether the archive has grown enough; that takes a millisecond."""


class SketchKeeper:
    """Remakes a sketch that is due, one in each look.

    Args:
        engine: of the database.
        index: whose vectors they are made of.
        clock: in seconds.
    """

    def __init__(
        self, engine: Engine, index: IndexOwner, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._engine = engine
        self._index = index
        self._clock = clock
        self._due_at = clock()

    def look(self) -> None:
        """Does it if it is time. What fails is tried again later: answers have the old one."""
        if self._clock() < self._due_at:
            return
        made = False
        try:
            with self._engine.begin() as connection:
                made = percentiles.refresh(connection, self._index.now(connection))
        except OUTAGES as fault:
            log.warning("percentiles go by what the archive was: %s", fault)
        if not made:
            self._due_at = self._clock() + LOOK_S
