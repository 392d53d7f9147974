"""Instances by C-MOVE to our own AE title: they come in by the node's own door (PS3.4 C.4.2).

The receiving process knows which instances are awaited (``retrieving.awaited``): they neither
enter the spool nor reopen their study.
"""

import shutil
import threading
import time
from pathlib import Path

from dicom_node.pressure import Pressure
from dicom_node.retrieving.arrived import checked, new_file
from dicom_node.retrieving.association import KeptAssociation
from dicom_node.retrieving.awaited import Awaited
from dicom_node.retrieving.outcome import Outcome
from dicom_node.retrieving.retriever import RetrieverAwayError, WantedInstance
from dicom_node.settings import Peer, Settings
from dicom_node.sop_classes import move_contexts

LANDING_S = 30.0
"""Some archives answer that all is sent before it is."""
LOOK_S = 0.05


class CMoveRetriever:
    """Fetches by C-MOVE from one peer, whose entry for our AE title must lead to this node's door.

    A ``Retriever``, for a node that receives.

    Args:
        peer, settings, stop: as for ``KeptAssociation``.
        awaited: where the receiving process looks, too.
    """

    def __init__(
        self, peer: Peer, settings: Settings, awaited: Awaited, stop: threading.Event
    ) -> None:
        self._ae_title = settings.dicom.ae_title
        self._awaited = awaited
        self._association = KeptAssociation(peer, settings, stop)
        self._pressure = Pressure(awaited.folder.parent, settings.pressure.min_free_gb, _never)
        self._stop = stop

    def close(self) -> None:
        """Ends the association."""
        self._association.close()

    def fetch(self, wanted: WantedInstance, into: Path) -> Path:
        """As ``Retriever`` has it."""
        short = self._pressure.reason()  # our own door would not let it in
        if short is not None:
            raise RetrieverAwayError(f"{self._association.who}: not asked: {short}")
        try:
            with self._awaited.awaiting(wanted.sop_instance_uid) as landed:
                outcome = self._association.ask(wanted, move_contexts(), move_to=self._ae_title)
                self._wait_for(landed, outcome)
                path = Path(shutil.move(landed, new_file(into)))
        except OSError as fault:
            raise RetrieverAwayError(f"{into} or the spool cannot be written: {fault}") from fault
        return checked(path, wanted, self._association.who)

    def _wait_for(self, landed: Path, outcome: Outcome) -> None:
        """Returns once the instance is there; until then the receiving process works on it.

        Raises:
            RetrieveError: it is not going to come.
        """
        who = self._association.who
        give_up = time.monotonic() + LANDING_S
        while not landed.exists():
            if not outcome.may_have_sent:
                raise outcome.why(who)
            if self._stop.is_set() or time.monotonic() > give_up:
                raise RetrieverAwayError(
                    f"{who}: says that it has sent it, and nothing came: does its entry for "
                    f"{self._ae_title} lead to this node's door?"
                )
            self._stop.wait(LOOK_S)


def _never() -> bool:
    """What is fetched waits for no worker."""
    return False
