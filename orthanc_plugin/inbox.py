# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where the studies are noted that Orthanc calls stable, until they were dealt with.

Orthanc 1.12.10 and later can keep such notes in its database; before that they are lost when
Orthanc stops, and the sweep at the next start finds the studies.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple, Protocol

from orthanc_plugin.archive import ArchiveError
from orthanc_plugin.host import Host
from orthanc_plugin.journal import Journal

QUEUE = "likeness-stable-studies"
RELEASE_S = 600
"""After which Orthanc gives out a note again that was not done with, in seconds."""


class Note(NamedTuple):
    """A study by Orthanc's identifier, and the note's own number in Orthanc's database."""

    study: str
    number: int | None = None


class Inbox(Protocol):
    """Notes in the order in which they came; ``put`` may be called in any thread.

    All methods raise ArchiveError where Orthanc's database fails.
    """

    def put(self, study: str) -> None:
        """Notes a study."""

    def take(self) -> Note | None:
        """The next note that was not taken yet."""

    def done(self, note: Note) -> None:
        """The study was dealt with."""


class MemoryInbox:
    """Notes in memory."""

    def __init__(self) -> None:
        self._studies: deque[str] = deque()

    def put(self, study: str) -> None:
        """Notes a study."""
        self._studies.append(study)

    def take(self) -> Note | None:
        """The next note that was not taken yet."""
        return Note(self._studies.popleft()) if self._studies else None

    def done(self, note: Note) -> None:
        """Nothing is left to do."""


class DurableInbox:
    """Notes in a queue of Orthanc's database."""

    def __init__(self, host: Any) -> None:
        self._host = host
        self._front = host.QueueOrigin.FRONT

    def put(self, study: str) -> None:
        """Notes a study."""
        self._call(self._host.EnqueueValue, study.encode())

    def take(self) -> Note | None:
        """The next note that is not reserved."""
        value, number = self._call(self._host.ReserveQueueValue, self._front, RELEASE_S)
        return None if value is None else Note(bytes(value).decode(), number)

    def done(self, note: Note) -> None:
        """Takes the note off the queue."""
        self._call(self._host.AcknowledgeQueueValue, note.number)

    def _call(self, function: Any, *arguments: Any) -> Any:
        try:
            return function(QUEUE, *arguments)
        except self._host.OrthancException as fault:
            raise ArchiveError(f"queue {QUEUE}: {fault}") from fault


def open_inbox(host: Host, journal: Journal) -> Inbox:
    """Durable notes where Orthanc and its database can keep them."""
    names = ("EnqueueValue", "ReserveQueueValue", "AcknowledgeQueueValue", "QueueOrigin")
    if not all(hasattr(host, name) for name in names):
        return MemoryInbox()
    inbox = DurableInbox(host)
    try:
        note = inbox.take()
        if note is not None:  # it was only to see whether this works
            inbox.put(note.study)
            inbox.done(note)
    except ArchiveError as fault:
        journal.info(f"Orthanc's database keeps no queues ({fault}): notes are kept in memory")
        return MemoryInbox()
    return inbox
