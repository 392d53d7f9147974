"""What everything that fetches images has in common: what is wanted, and how it can fail."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

CHUNK = 1 << 18
"""What is copied at most in one go, in bytes."""

SILENCE_S = 120.0
"""How long a peer may say nothing while it is asked: it may have to mount a tape."""

LONGEST_S = 1800.0
"""How long fetching one instance may take, however steadily its bytes drip."""


class RetrieveError(Exception):
    """An instance cannot be had; the message says from whom and why."""


class RetrieverAwayError(RetrieveError):
    """Nothing can be had at present: the peer is away, or does not let us in as it should.

    It is no fault of the instance's, so any other would fail as well: worth trying later.
    """


@dataclass(frozen=True)
class WantedInstance:
    """A SOP instance, by the UIDs of all levels of the Study Root model (PS3.4 C.6.2.1)."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str


class Retriever(Protocol):
    """Fetches instances one at a time; for one thread."""

    def fetch(self, wanted: WantedInstance, into: Path) -> Path:
        """Fetches an instance into a new DICOM file (PS3.10) in the folder ``into``.

        The data set is as it came, byte for byte. The file is the caller's to remove; where
        fetching fails, none is left.

        Raises:
            RetrieveError: the peer does not have it, will not give it, or gave another.
            RetrieverAwayError: the peer gives nothing at present.
        """
