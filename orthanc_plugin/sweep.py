# SPDX-License-Identifier: AGPL-3.0-or-later
"""Looks through all studies for those that were missed, a few at a time."""

from __future__ import annotations

from orthanc_plugin.archive import AbsentError, Archive, changed_at
from orthanc_plugin.journal import Journal
from orthanc_plugin.marks import NOTHING, SENT, read_mark

AT_ONCE = 25
"""Studies that are looked at between two other pieces of work."""
TOLD_EVERY = 1000


class Sweep:
    """One look at every study that Orthanc has when the sweep begins."""

    def __init__(self, archive: Archive, mark_name: str, journal: Journal) -> None:
        self._archive = archive
        self._mark_name = mark_name
        self._journal = journal
        self._left: list[str] | None = None
        self.total = 0
        self.looked = 0
        self.missed = 0

    @property
    def over(self) -> bool:
        """Whether all studies were looked at."""
        return self._left == []

    def missed_ones(self) -> list[str]:
        """Studies among the next few that were never sent, or have changed since."""
        if self._left is None:
            self._begin()
        assert self._left is not None
        these, self._left[:AT_ONCE] = self._left[:AT_ONCE], []
        found = [study for study in these if not self._settled(study)]
        self.looked += len(these)
        self.missed += len(found)
        self._tell(len(these))
        return found

    def _begin(self) -> None:
        self._left = self._archive.studies()
        self.total = len(self._left)
        self._journal.warning(f"sweep: looking through {self.total} studies for what was missed")

    def _settled(self, study: str) -> bool:
        """Whether Orthanc has not touched the study since it was sent."""
        try:
            metadata = self._archive.metadata("studies", study)
        except AbsentError:
            return True
        mark = read_mark(metadata.get(self._mark_name))
        done = mark is not None and mark.state in (SENT, NOTHING)
        return mark is not None and done and mark.changed == changed_at(metadata)

    def _tell(self, these: int) -> None:
        said = f"{self.looked} of {self.total} studies looked at, {self.missed} to be checked"
        if self.over:
            self._journal.warning(f"sweep: done, {said}")
        elif self.looked // TOLD_EVERY != (self.looked - these) // TOLD_EVERY:
            self._journal.warning(f"sweep: {said}")
