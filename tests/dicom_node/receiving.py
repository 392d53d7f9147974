"""A node's receiving half without its database: in this process, or as the process that it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from dicom_node.receiver import Receiver
from dicom_node.receiver_events import AssociationEnded, Event, InstanceAnswered
from dicom_node.scp import Contexts, start_scp
from dicom_node.settings import DicomSettings, Peer, PressureSettings, Settings
from dicom_node.spool import Spool
from tests.conftest import find_free_port
from tests.dicom_node.objects import encoded, radiograph
from tests.dicom_node.raw_peer import CR, VERIFICATION, store_all

_SYNTAXES = tuple(
    str(uid)
    for uid in (
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        DeflatedExplicitVRLittleEndian,
        ExplicitVRBigEndian,
    )
)
CONTEXTS: Contexts = {
    VERIFICATION: _SYNTAXES[:2],
    CR: _SYNTAXES,
    str(CTImageStorage): _SYNTAXES,
}


@dataclass(frozen=True)
class Node:
    """Where a receiving node listens, its spool, and what it told so far."""

    port: int
    spool: Spool
    events: list[Event] = field(default_factory=list)

    def names(self) -> list[str]:
        """The files in the spool."""
        return list(self.spool.names())

    def kept(self) -> list[str]:
        """The files that were answered with Success, as they were told."""
        answered = [event for event in self.events if isinstance(event, InstanceAnswered)]
        return [event.spool_name for event in answered if event.spool_name is not None]

    def outcomes(self) -> list[str]:
        """How the connections that have ended did."""
        return [event.outcome for event in self.events if isinstance(event, AssociationEnded)]

    def aside(self) -> list[Path]:
        """What is half written."""
        return list(self.spool.aside.iterdir())

    def store(self, number: int = 1) -> int:
        """Sends a radiograph of that number; returns the status."""
        (status,) = store_all(self.port, [instance(number)])
        return status


def instance(number: int) -> tuple[str, bytes]:
    """A radiograph's UID and data set."""
    uid = f"1.2.826.0.1.8.{number}"
    return uid, encoded(radiograph(uid))


def settings_for(folder: Path, port: int, *peers: Peer, **dicom: Any) -> Settings:
    """A node's settings; the disk of a test machine is never short."""
    return Settings(
        data_folder=folder,
        dicom=DicomSettings(port=port, **dicom),
        pressure=PressureSettings(min_free_gb=0),
        peers=peers,
    )


@contextmanager
def receiving(
    folder: Path,
    *peers: Peer,
    spool: Spool | None = None,
    queue_is_full: Callable[[], bool] = lambda: False,
    min_free_gb: float = 0,
    **dicom: Any,
) -> Iterator[Node]:
    """An SCP in this process."""
    settings = settings_for(folder, find_free_port(), *peers, **dicom).model_copy(
        update={"pressure": PressureSettings(min_free_gb=min_free_gb)}
    )
    assert settings.dicom.port is not None
    node = Node(settings.dicom.port, spool or Spool(folder))
    scp = start_scp(settings, CONTEXTS, node.spool, node.events.append, queue_is_full=queue_is_full)
    try:
        yield node
    finally:
        scp.shutdown()


@contextmanager
def receiver(folder: Path, port: int, **dicom: Any) -> Iterator[tuple[Receiver, Node]]:
    """The receiving process, heard by the node's list of events."""
    with Receiver(settings_for(folder, port, **dicom), CONTEXTS) as running:
        node = Node(port, Spool(folder))
        running.listen(node.events.append)
        yield running, node
