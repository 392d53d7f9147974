"""Receiving in a process of its own: neither intake nor torch ever holds it up.

Here, in the child, the SCP writes to the spool and tells what happened down a pipe.
``dicom_node.receiver`` holds the other end.
"""

import fcntl
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection as Pipe

from dicom_node.child_process import Flag, Tether, die_with_parent
from dicom_node.logs import configure_logging
from dicom_node.receiver_events import Event
from dicom_node.scp import Contexts, PortTakenError, start_scp
from dicom_node.settings import Settings
from dicom_node.spool import Spool
from dicom_node.tls import TlsError


def main(
    tether: Tether, settings: Settings, contexts: Contexts, events: Pipe, queue_is_full: Flag
) -> None:
    """Entry of the spawned process."""
    configure_logging()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent decides when to stop
    die_with_parent()
    _take_all_descriptors()
    spool = Spool(settings.data_folder)
    with _only_receiver(spool):
        spool.sweep()
        telling = _Telling(events)
        try:
            scp = start_scp(settings, contexts, spool, telling, queue_is_full=queue_is_full.is_set)
        except (PortTakenError, TlsError) as fault:
            tether.ready.send(str(fault))
            return
        stop = tether.stop
        tether.ready.send("")
        stop.wait()
        scp.shutdown()


def _take_all_descriptors() -> None:
    """Each connection takes one and each instance another; 1024 are a common soft limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _Telling:
    """Sends events down the pipe, one at a time whichever thread they come from."""

    def __init__(self, events: Pipe) -> None:
        self._events = events
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._events.send(event)


@contextmanager
def _only_receiver(spool: Spool) -> Iterator[None]:
    """Waits until the receiver of a node that was just killed is gone.

    It may still be finishing an instance; the spool is looked through only after that.
    """
    with (spool.folder / "receiver.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
