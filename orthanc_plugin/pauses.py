# SPDX-License-Identifier: AGPL-3.0-or-later
"""Waiting longer after each failure, and whether a port answers at all."""

from __future__ import annotations

import socket

from orthanc_plugin.archive import Modality

CONNECT_S = 2.0
LONGEST_PAUSE_S = 60.0
LONGEST_RETRY_S = 900.0
_HALT_AFTER = 3
"""Studies that fail one after the other until the fault is taken to be the node's, not theirs."""


class Pause:
    """A pause of all sending, while the node takes nothing."""

    def __init__(self, first_s: float) -> None:
        self._first_s = first_s
        self._wait_s = 0.0
        self._failing: set[str] = set()
        self.until = 0.0
        self.reason = ""

    def longer(self, now: float, reason: str) -> None:
        """Pauses, each time for twice as long."""
        self._wait_s = min(max(2 * self._wait_s, min(1.0, self._first_s)), LONGEST_PAUSE_S)
        self.until, self.reason = now + self._wait_s, reason

    def failed(self, now: float, study: str, reason: str) -> None:
        """A study failed though the node answers; after a few different ones all wait."""
        self._failing.add(study)
        if len(self._failing) >= _HALT_AFTER:
            self.longer(now, reason)

    def end(self) -> None:
        """The node took something."""
        self._wait_s, self.until, self.reason = 0.0, 0.0, ""
        self._failing.clear()


def retry_wait(first_s: float, tries: int) -> float:
    """Seconds until a study is tried again after so many tries."""
    return min(first_s * 3.0 ** max(0, tries - 1), LONGEST_RETRY_S)


def answers(modality: Modality) -> bool:
    """Whether something listens there; a C-ECHO by Orthanc would keep Python's lock meanwhile."""
    try:
        with socket.create_connection((modality.host, modality.port), CONNECT_S):
            return True
    except (OSError, ValueError):  # the second for a name that no host can have
        return False
