# SPDX-License-Identifier: AGPL-3.0-or-later
"""Looks through all studies for those that were missed, a few at a time."""

from __future__ import annotations

from orthanc_plugin.archive import AbsentError, Archive, changed_at
from orthanc_plugin.journal import Journal
from orthanc_plugin.marks import NOTHING, SENT, read_mark
from orthanc_plugin.refusals import Refusals

AT_ONCE = 25
"""Studies that are looked at between two other pieces of work."""
TOLD_EVERY = 1000


class Sweep:
    """One look at every study that Orthanc has when the sweep begins."""

    def __init__(
        self, archive: Archive, mark_name: str, journal: Journal, refusals: Refusals
    ) -> None:
        self._archive = archive
        self._mark_name = mark_name
        self._journal = journal
        self._refusals = refusals
        self._left: list[str] | None = None
        self.total = 0
        self.looked = 0
        self.missed = 0

    @property
    def over(self) -> bool:
        """Whether all studies were looked at."""
        return self._left == []

    def missed_ones(self) -> list[str]:
        """Studies among the next few that were never sent, or have changed since.

        Raises:
            ArchiveError: Orthanc's database failed; the next call looks at the same ones again.
        """
        left = self._left = self._begun() if self._left is None else self._left
        these = left[:AT_ONCE]
        found = [study for study in these if not self._settled(study)]
        del left[: len(these)]
        self.looked += len(these)
        self.missed += len(found)
        self._tell(len(these))
        return found

    def _begun(self) -> list[str]:
        studies = self._archive.studies()
        self.total = len(studies)
        self._journal.warning(f"sweep: looking through {self.total} studies for what was missed")
        return studies

    def _settled(self, study: str) -> bool:
        """Whether Orthanc has not touched the study since it was sent."""
        try:
            metadata = self._archive.metadata("studies", study)
        except AbsentError:
            return True
        mark = read_mark(metadata.get(self._mark_name))
        if mark is None or mark.state not in (SENT, NOTHING):
            return False
        self._refusals.note(study, mark.refused, mark.said)
        return mark.changed == changed_at(metadata)

    def _tell(self, these: int) -> None:
        said = f"{self.looked} of {self.total} studies looked at, {self.missed} to be checked"
        if self.over:
            self._journal.warning(f"sweep: done, {said}")
        elif self.looked // TOLD_EVERY != (self.looked - these) // TOLD_EVERY:
            self._journal.warning(f"sweep: {said}")
