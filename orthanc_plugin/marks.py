# SPDX-License-Identifier: AGPL-3.0-or-later
"""What stands in Orthanc's metadata of a study that was sent, or is being sent."""

from __future__ import annotations

import json
from time import gmtime, strftime, time
from typing import NamedTuple

SENT = "sent"
SENDING = "sending"
NOTHING = "nothing to send"


class Mark(NamedTuple):
    """A study's mark.

    Attributes:
        state: ``SENT``, ``SENDING`` or ``NOTHING``.
        fingerprint: of the images that were sent (``images.fingerprint``).
        images: how many.
        refused: how many others the node did not take.
        changed: Orthanc's LastUpdate of the study when its images were listed; empty if it may
            have changed later within that second.
        job: Orthanc's job that sends it.
        said: why the last of the refused ones was not taken.
    """

    state: str
    fingerprint: str
    images: int = 0
    refused: int = 0
    changed: str = ""
    job: str = ""
    said: str = ""

    def text(self) -> str:
        """What is kept."""
        return json.dumps(self._asdict(), separators=(",", ":"))


def read_mark(text: str | None) -> Mark | None:
    """The mark; None where there is none, or none that can be read: then the study is looked at."""
    try:
        kept = json.loads(text or "")
        mark = Mark(**kept)
    except (ValueError, TypeError):
        return None
    whole = isinstance(mark.images, int) and isinstance(mark.refused, int)
    whole = whole and isinstance(mark.said, str)
    return mark if whole and mark.state in (SENT, SENDING, NOTHING) else None


def settled_time(changed: str | None) -> str:
    """Orthanc's LastUpdate, which is in UTC, or nothing while that second may not be over."""
    if changed is None:
        return ""
    just_now = strftime("%Y%m%dT%H%M%S", gmtime(time() - 2))
    return changed if changed < just_now else ""
