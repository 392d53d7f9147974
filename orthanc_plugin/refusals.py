# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which images the node does not take: whether a refusal is of the image, and those there were."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from typing import Any

MOST_CHARACTERS = 200
_SHOWN = 10
_STATUS = re.compile(r"DIMSE status 0x([0-9A-F]{4})\b", re.IGNORECASE)
_OF_THE_IMAGE = re.compile(r"A9..|C...|0122", re.IGNORECASE)
"""PS3.4 B.2.3: the data set does not match its SOP class, or cannot be understood; and PS3.7
9.1.1.1.9: SOP class not supported. All else, out of resources (A7xx) above all, passes."""
_NOT_NEGOTIATED = ("presentation context", "cannot transcode")
"""In what Orthanc says where the node takes no such SOP class, or not so encoded. 1.10.1 says the
second, "Cannot transcode from … to one of [ ]", even where there is nothing to transcode to."""


def is_of_the_image(said: str) -> bool:
    """Whether the node would refuse this image at any time.

    Args:
        said: what Orthanc's job says of its failure.
    """
    status = _STATUS.search(said)
    if status:
        return _OF_THE_IMAGE.fullmatch(status.group(1)) is not None
    return any(words in said.lower() for words in _NOT_NEGOTIATED)


class Refusals:
    """What was left out of which study; all methods may be called in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[int, str]] = OrderedDict()

    def note(self, study: str, images: int, said: str) -> None:
        """So many images of a study were left out as it was sent last; 0 takes it off."""
        with self._lock:
            self._known.pop(study, None)
            if images:
                self._known[study] = (images, said)

    def told(self) -> dict[str, Any]:
        """How many, and the last few studies by Orthanc's identifiers."""
        with self._lock:
            known = list(self._known.items())
        last = [
            {"study": study, "images": images, "says": said}
            for study, (images, said) in reversed(known[-_SHOWN:])
        ]
        images = sum(images for _, (images, _) in known)
        return {"studies": len(known), "images": images, "last": last}
