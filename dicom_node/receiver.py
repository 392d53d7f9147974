"""The node's end of the receiving process: starts it, hears its events, starts it again."""

import queue
import threading
from multiprocessing.connection import Connection as Pipe
from typing import Any, Self

from dicom_node import receiver_process
from dicom_node.child_process import SPAWN, ChildProcess, Flag
from dicom_node.receiver_events import AssociationAccepted, AssociationEnded, Event, Tell
from dicom_node.scp import Contexts
from dicom_node.settings import Settings


class Receiver:
    """Use it as a context manager: within the block the node receives.

    What it hears before ``listen`` is called is kept until then: a node receives before its
    database answers, and after.

    Args:
        settings: where to listen, and whom to let in.
        contexts: what is accepted.

    Raises:
        StartError: on entering: the port is taken, or the files of the TLS settings are faulty.
    """

    def __init__(self, settings: Settings, contexts: Contexts) -> None:
        self._settings = settings
        self._contexts = contexts
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self.queue_is_full = Flag()
        """Set it to have senders wait."""
        self._child = ChildProcess("receiver", receiver_process.main, self._arguments)
        self._ends: tuple[Pipe, Pipe] | None = None
        self._hearing: threading.Thread | None = None
        self._telling: threading.Thread | None = None

    def __enter__(self) -> Self:
        try:
            self._child.__enter__()
        finally:
            self._hear()
        return self

    def __exit__(self, *_: object) -> None:
        self._child.__exit__()
        self._join()
        self._events.put(None)
        if self._telling is not None:
            self._telling.join()

    def listen(self, *listeners: Tell) -> threading.Thread:
        """From now on, and beginning with what came before, ``listeners`` hear every event.

        In order, and from the thread that is returned. To be called once.
        """

        def tell() -> None:
            while (event := self._events.get()) is not None:
                for listener in listeners:
                    listener(event)

        self._telling = threading.Thread(target=tell, name="events")
        self._telling.start()
        return self._telling

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._child.is_alive

    def restart_if_dead(self) -> bool:
        """Starts another process if it died.

        True if one was started: what the dead one acknowledged and could not tell of lies in
        the spool.
        """
        if self._child.is_alive:
            return False
        self._join()
        try:
            return self._child.restart_if_dead()
        finally:
            self._hear()

    def _arguments(self) -> tuple[Any, ...]:
        self._ends = _, theirs = SPAWN.Pipe(duplex=False)
        return self._settings, self._contexts, theirs, self.queue_is_full

    def _hear(self) -> None:
        """The child's end belongs to the child alone, so that its death ends the hearing."""
        if self._ends is None:
            return
        ours, theirs = self._ends
        self._ends = None
        theirs.close()
        self._hearing = threading.Thread(target=self._keep, args=(ours,), name="hearing")
        self._hearing.start()

    def _join(self) -> None:
        if self._hearing is not None:
            self._hearing.join()

    def _keep(self, events: Pipe) -> None:
        """Takes what the child tells until it is gone, and ends what it left open."""
        left: set[int] = set()
        with events:
            while (event := _next(events)) is not None:
                if isinstance(event, AssociationAccepted):
                    left.add(event.association)
                elif isinstance(event, AssociationEnded):
                    left.discard(event.association)
                self._events.put(event)
        for association in left:
            self._events.put(AssociationEnded(association, "broken"))


def _next(events: Pipe) -> Event | None:
    try:
        event: Event = events.recv()
    except (EOFError, OSError):  # also a message that was cut off when the child was killed
        return None
    return event
