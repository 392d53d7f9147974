"""An association that is kept open from one retrieval to the next, and opened again if it drops.

Requests and responses go through pynetdicom's DIMSE provider, not its ``send_c_get``: that waits
for ever if the association ends in the moment before, and measures its timeout by whole messages,
of which a large image is one.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, NoReturn

from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event
from pynetdicom.presentation import PresentationContext

from dicom_node.retrieving.outcome import PENDING, Outcome, outcome_of
from dicom_node.retrieving.request import request_for
from dicom_node.retrieving.retriever import (
    LONGEST_S,
    SILENCE_S,
    RetrieveError,
    RetrieverAwayError,
    WantedInstance,
)
from dicom_node.scp import MB
from dicom_node.scu import SendError, associated, class_names, named
from dicom_node.settings import Peer, Settings
from dicom_node.sop_classes import GET_MODEL, MOVE_MODEL, RequestedContext
from dicom_node.storing import SOP_CLASS_NOT_SUPPORTED

LOOK_S = 0.2
IDLE_S = 30.0
"""An association that was idle for longer is not trusted: peers and firewalls forget them."""

Store = Callable[[PresentationContext, C_STORE], int]
"""Takes in an instance that came in a context; returns the status that its sender gets."""


class _DroppedError(Exception):
    """The association ended before the final response."""


class _Heard:
    """How much came off the socket since the last request, and when the last of it did."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Counts from now."""
        self.size = 0
        self.began = self.last = time.monotonic()

    def take(self, event: Event) -> None:
        """One PDU; called from the association's own thread."""
        self.size += len(event.data)
        self.last = time.monotonic()


class KeptAssociation:
    """Asks a peer for instances, one after the other; for one thread.

    Args:
        peer: who is asked.
        settings: our AE title, the files for TLS, and how long an instance may be.
        stop: set when the node is to end; what is under way is broken off then.
    """

    def __init__(self, peer: Peer, settings: Settings, stop: threading.Event) -> None:
        self.who = f"peer {named(peer)}"
        self._peer = peer
        self._settings = settings
        self._stop = stop
        self._heard = _Heard()
        self._held = ExitStack()
        self._association: Association | None = None
        self._contexts: Sequence[RequestedContext] = ()
        self._requests = 0
        self._has_answered = False  # some answer a request that they do not allow with an abort

    def close(self) -> None:
        """Releases it, if it is open."""
        self._association = None
        self._held.close()

    def ask(
        self,
        wanted: WantedInstance,
        contexts: Sequence[RequestedContext],
        *,
        store: Store | None = None,
        move_to: str = "",
    ) -> Outcome:
        """The final response to a C-GET, whose instances ``store`` takes, or to a C-MOVE.

        A request during which the association ends is made once more, on another.

        Raises:
            RetrieveError: the peer breaks off at this instance, does not send the SOP class, does
                not keep to the protocol, or sends more than ``dicom.max_instance_mb``.
            RetrieverAwayError: no association comes about; the peer is silent, or has broken off
                whatever it was asked; the node ends.
        """
        for _ in range(2):
            association = self._open(contexts)
            try:
                return self._exchange(association, wanted, store, move_to)
            except _DroppedError:
                _end(association)
                self.close()
        broken = f"{self.who}: breaks the association off when it is asked"
        if self._has_answered:
            raise RetrieveError(f"{broken} for this instance")
        raise RetrieverAwayError(f"{broken}; is our AE title allowed to retrieve there?")

    def _open(self, contexts: Sequence[RequestedContext]) -> Association:
        """The association; another one if it dropped, rested for long or was for other classes."""
        held, rested_s = self._association, time.monotonic() - self._heard.last
        is_fit = rested_s < IDLE_S and self._contexts == contexts
        if held is not None and held.is_established and is_fit:
            return held
        self.close()
        opening = associated(
            self._peer,
            contexts,
            calling_ae=self._settings.dicom.ae_title,
            tls=self._settings.tls,
            handlers=[(evt.EVT_DATA_RECV, self._heard.take)],
        )
        try:
            association = self._held.enter_context(opening)
        except SendError as fault:
            raise RetrieverAwayError(str(fault)) from fault
        association.network_timeout = None  # silence is measured here, and only while we ask
        association.dimse_timeout = LOOK_S
        self._association, self._contexts = association, contexts
        return association

    def _exchange(
        self, association: Association, wanted: WantedInstance, store: Store | None, move_to: str
    ) -> Outcome:
        context = self._model_context(association, move_to)
        if store is not None:
            self._must_send(association, wanted)
        self._requests = self._requests % 0xFFFF + 1
        request = request_for(wanted, self._requests, context.transfer_syntax[0], move_to=move_to)
        self._heard.begin()
        association.dimse.send_msg(request, context.context_id)
        while True:
            context_id, message = self._next(association)
            if isinstance(message, C_STORE) and message.is_valid_request:
                answer = _stored(association, context_id, message, store)
                association.dimse.send_msg(answer, context_id)
            elif isinstance(message, type(request)) and message.is_valid_response:
                if message.Status not in PENDING:
                    self._has_answered = True
                    return outcome_of(message)
            else:
                name = type(message).__name__.replace("_", "-")
                self._abort(RetrieveError(f"{self.who}: sent a {name} that was not due"))

    def _model_context(self, association: Association, move_to: str) -> PresentationContext:
        model = MOVE_MODEL if move_to else GET_MODEL
        for context in association.accepted_contexts:
            if context.abstract_syntax == model:
                return context
        raise RetrieverAwayError(f"{self.who}: does not take {class_names([model])}")

    def _must_send(self, association: Association, wanted: WantedInstance) -> None:
        if not any(
            context.abstract_syntax == wanted.sop_class_uid and context.as_scp
            for context in association.accepted_contexts
        ):
            name = class_names([UID(wanted.sop_class_uid)])
            raise RetrieveError(
                f"{self.who}: does not send {name} by C-GET in a transfer syntax that we take"
            )

    def _next(self, association: Association) -> tuple[int, Any]:
        """The next message that came, and the identifier of its context.

        Raises:
            _DroppedError: the association has ended.
            RetrieveError: the peer is silent, slow or sends too much, or the node is to end.
        """
        while True:
            established = association.is_established
            context_id, message = association.dimse.get_msg(block=True)
            if self._heard.size > self._settings.dicom.max_instance_mb * MB:
                self._abort(RetrieveError(f"{self.who}: sends more than dicom.max_instance_mb"))
            if message is not None:
                return context_id, message
            if not established:
                raise _DroppedError
            self._look_at_the_clock()

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        if self._stop.is_set():
            self._abort(RetrieverAwayError(f"{self.who}: not asked further: the node ends"))
        if now - self._heard.last > SILENCE_S:
            self._abort(RetrieverAwayError(f"{self.who}: said nothing for {SILENCE_S:g} s"))
        if now - self._heard.began > LONGEST_S:
            self._abort(RetrieveError(f"{self.who}: took longer than {LONGEST_S:g} s"))

    def _abort(self, fault: RetrieveError) -> NoReturn:
        if self._association is not None:
            _end(self._association)
        self.close()
        raise fault


def _end(association: Association) -> None:
    """Ends an association that did not go as it should."""
    association.abort()
    # where its own thread died of what came, pynetdicom leaves the connection open
    if association.dul.socket is not None:
        association.dul.socket.close()


def _stored(
    association: Association, context_id: int, request: C_STORE, store: Store | None
) -> C_STORE:
    """The response to a C-STORE sub-operation on our own association (PS3.4 C.4.3.3)."""
    sop_class = request.AffectedSOPClassUID
    found = [
        context
        for context in association.accepted_contexts
        if (context.context_id, context.abstract_syntax) == (context_id, sop_class)
        and context.as_scp
    ]
    response = C_STORE()
    response.MessageIDBeingRespondedTo = request.MessageID
    response.AffectedSOPClassUID = sop_class
    response.AffectedSOPInstanceUID = request.AffectedSOPInstanceUID
    response.Status = SOP_CLASS_NOT_SUPPORTED
    if found and store is not None:
        response.Status = store(found[0], request)
    return response
