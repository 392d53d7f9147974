"""Peers that do not answer rest for a while, so that they do not keep back what is for others."""

import time
from typing import NamedTuple

from storage.queue import RetryRule

LONGEST_REST_S = 60.0
"""A peer that does not answer costs up to half a minute at each try, in which no other gets its
turn: so it rests, longer each time, and the others go first."""


class _Silence(NamedTuple):
    """How often in a row a peer did not answer, and until when (monotonic, s) it is left alone."""

    tries: int
    rests_until: float


class SilentPeers:
    """What one thread knows of the peers that it calls, by their names in the settings.

    Args:
        first_rest_s: how long a peer rests at first; each time in a row it is twice as long,
            ``LONGEST_REST_S`` at most.
    """

    def __init__(self, first_rest_s: float) -> None:
        self._rests = RetryRule(1, first_rest_s, LONGEST_REST_S)
        self._silent: dict[str, _Silence] = {}

    def resting(self) -> list[str]:
        """Those that are to be left alone now."""
        now = time.monotonic()
        return [peer for peer, silence in self._silent.items() if silence.rests_until > now]

    def hear(self, peer: str, *, silent: bool) -> None:
        """A peer was called: it did not answer, or it did, whatever it said."""
        before = self._silent.pop(peer, None)
        if silent:
            tries = 1 if before is None else before.tries + 1
            rests_until = time.monotonic() + self._rests.wait_s(tries)
            self._silent[peer] = _Silence(tries, rests_until)
