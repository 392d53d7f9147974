"""Who is let in, and why somebody is not (PS3.8 9.3.4; PS3.7 D.3.3)."""

from collections.abc import Callable
from dataclasses import dataclass

from dicom_node.settings import DicomSettings, Peer
from dicom_node.upper_layer.pdu import APPLICATION_CONTEXT, AssociateRequest, Rejection

VERIFICATION = "1.2.840.10008.1.1"
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
ALWAYS_HEARD = frozenset({VERIFICATION, STORAGE_COMMITMENT})


def _for_good(source: int, reason: int, words: str) -> Rejection:
    return Rejection(1, source, reason, words)


def _for_now(reason: int, words: str) -> Rejection:
    """Rejected-transient by the presentation layer: the sender should try again."""
    return Rejection(2, 3, reason, words)


@dataclass(frozen=True)
class Admission:
    """The rules of the door.

    Attributes:
        pressure: why senders must wait, None if they need not.
        open_associations: how many there are.
    """

    dicom: DicomSettings
    peers: tuple[Peer, ...]
    pressure: Callable[[], str | None]
    open_associations: Callable[[], int]

    def decide(self, request: AssociateRequest, address: str) -> Rejection | None:
        """Why the requestor at ``address`` is refused; None lets it in."""
        if not request.protocol_version & 1:
            return _for_good(2, 2, "its protocol version is not ours")
        if request.application_context != APPLICATION_CONTEXT:
            return _for_good(1, 2, "its application context is not DICOM's")
        return (
            self._stranger(request.calling, address)
            or self._wrong_door(request)
            or (self._wait(request))
        )

    def _stranger(self, calling: str, address: str) -> Rejection | None:
        named = [peer for peer in self.peers if peer.ae_title == calling]
        if not named:
            if not self.dicom.listed_peers_only:
                return None
            return _for_good(1, 3, "no peer of the settings has its AE title")
        if not any(peer.may_call_from(address) for peer in named):
            return _for_good(1, 3, "the settings do not list this address for its AE title")
        return None

    def _wrong_door(self, request: AssociateRequest) -> Rejection | None:
        if self.dicom.check_called_ae and request.called != self.dicom.ae_title:
            words = f"it calls {request.called!r}, and we are {self.dicom.ae_title!r}"
            return _for_good(1, 7, words)
        return None

    def _wait(self, request: AssociateRequest) -> Rejection | None:
        """Whoever only wants to verify, or to report, is heard whatever the pressure."""
        if self.open_associations() >= self.dicom.max_associations:
            return _for_now(2, f"{self.dicom.max_associations} associations are open")
        if ALWAYS_HEARD.issuperset(context.abstract_syntax for context in request.contexts):
            return None
        why = self.pressure()
        return None if why is None else _for_now(1, why)
