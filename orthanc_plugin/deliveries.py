# SPDX-License-Identifier: AGPL-3.0-or-later
"""A study on its way to the node, whole or in parts.

A job ends at the first image that the node does not take. Where the node refuses an image as such
the part is cut in two, down to the single images, so that one of them does not hold up the rest.
The larger parts go first, so that it soon shows whether the node takes anything at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from orthanc_plugin.archive import Instance
from orthanc_plugin.marks import SENDING, SENT, Mark
from orthanc_plugin.refusals import MOST_CHARACTERS
from orthanc_plugin.tasks import Task

_GIVE_UP_AFTER = 12
"""Parts that failed, with none taken, until the node is held to take nothing of this study."""


class Delivery:
    """What is left to be sent of a study, and by which job."""

    def __init__(self, task: Task, images: Sequence[Instance], fingerprint: str, changed: str):
        self.task = task
        self.job = ""
        self.paused = False
        self._images = len(images)
        self._fingerprint = fingerprint
        self._changed = changed
        self._left = deque([[image.identifier for image in images]])
        self._taken = 0
        self._refused = 0
        self._failed = 0
        self._said = ""

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return not self._left

    @property
    def whole(self) -> bool:
        """Whether the next job sends all of it."""
        return bool(self._left) and len(self._left[0]) == self._images

    def part(self) -> list[str]:
        """What the next job sends, by Orthanc's identifiers."""
        return self._left[0]

    def taken(self) -> None:
        """The part arrived."""
        self._taken += len(self._left.popleft())

    def cut(self, said: str) -> bool:
        """Cuts the part in two that was refused, or leaves it out; False if that is in vain.

        Only for a refusal of an image as such (``refusals.is_of_the_image``).
        """
        part = self._left.popleft()
        self._failed += 1
        if len(part) == 1:
            self._refused += 1
            self._said = said[:MOST_CHARACTERS]
        else:
            half = len(part) // 2
            self._left += [part[:half], part[half:]]
        vain = self._taken == 0 and (self._failed >= _GIVE_UP_AFTER or not self._left)
        return not vain

    def mark(self) -> Mark:
        """What is to stand in the study's metadata."""
        if self.over:
            counts = self._taken, self._refused
            return Mark(SENT, self._fingerprint, *counts, self._changed, said=self._said)
        job = self.job if self.whole else ""
        return Mark(SENDING, self._fingerprint, self._images, job=job)
