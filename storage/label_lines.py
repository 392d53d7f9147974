"""Lines of labels, as a file says them, and what a message tells of those that are faulty."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from storage.answer import Label

MAX_FAULTS = 10
PLACES = (
    "sop_instance_uid",
    "series_instance_uid",
    "study_instance_uid",
    "accession_number",
)
"""What a line may be said of, the finest first: the first that is given decides."""

_UID = re.compile(r"[0-9.]{1,64}")


class LabelError(ValueError):
    """Labels that cannot be taken in; the message lists what is wrong, line by line."""


@dataclass(frozen=True)
class LabelLine:
    """One label of a file, and what it is said of: the finest of its places decides.

    ``source`` is empty where the line does not name one. ``line`` is for messages; 0 for a label
    that is of no file.
    """

    study_instance_uid: str
    label: Label
    series_instance_uid: str = ""
    sop_instance_uid: str = ""
    accession_number: str = ""
    source: str = ""
    line: int = field(default=0, compare=False)

    def place(self) -> tuple[str, str]:
        """The finest place that is given: its column's name and its value."""
        return next((name, getattr(self, name)) for name in PLACES if getattr(self, name))


def fault_of_places(places: dict[str, str]) -> str | None:
    """What is wrong with a line's places, None if nothing is."""
    if not any(places.values()):
        return f"gives none of {', '.join(reversed(PLACES))}"
    for name, value in places.items():
        if value and name != "accession_number" and not _UID.fullmatch(value):
            return f"{value[:70]!r} is no {name}: digits and dots, 64 at most (PS3.5 9.1)"
    return None


def some_of(faults: Sequence[str]) -> str:
    """The first ten, and how many more there are."""
    more = f" and {len(faults) - MAX_FAULTS} more" if len(faults) > MAX_FAULTS else ""
    return f"{'; '.join(faults[:MAX_FAULTS])}{more}"
