"""uvicorn's protocol, with bounds on connections that ask for nothing."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from dicom_node.http.caller import address_in, is_of_this_machine

REFUSED_FROM = 2
"""Times ``limit_concurrency``: from so many on, connections are cut; below, they get a 503."""
ONE_ADDRESS = 4
"""The part of ``limit_concurrency`` that one address may have, but for this machine's own: there
proxies and Orthanc call from, for many people."""


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 for a peer that may hold connections open, or send requests drop by drop.

    uvicorn bounds the silence after a response only. Here a connection ends, too, when a request
    is not complete ``timeout_keep_alive`` seconds after it could begin.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the time; cuts the connection if there are far too many."""
        super().connection_made(transport)
        limit = self.limit_concurrency
        if limit is not None and (
            len(self.connections) > REFUSED_FROM * limit or self._has_too_many(limit // ONE_ADDRESS)
        ):
            transport.abort()
        self._await_request()

    def _has_too_many(self, most: int) -> bool:
        here = address_in(self.client)
        if here is None or is_of_this_machine(here):
            return False
        same = (one for one in self.connections if address_in(getattr(one, "client", None)) == here)
        return sum(1 for _ in same) > most

    def data_received(self, data: bytes) -> None:
        """Goes on with the time only while a request is incomplete."""
        super().data_received(data)
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self._await_request()
        else:
            self._stop_awaiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the time."""
        self._stop_awaiting()
        super().connection_lost(exc)

    def _await_request(self) -> None:
        if self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(self.timeout_keep_alive, self.transport.close)

    def _stop_awaiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
