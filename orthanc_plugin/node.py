# SPDX-License-Identifier: AGPL-3.0-or-later
"""The node's HTTP service, asked over sockets of Python's own.

They give Python's lock free while they wait; Orthanc's HTTP client would keep it.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from orthanc_plugin.breaker import Breaker
from orthanc_plugin.configuration import Configuration

MOST_ANSWER_BYTES = 32 * 1024 * 1024
CONNECT_S = 2.0
_PIECE = 65536


class NodeError(Exception):
    """The node gave no answer that could be passed on; the message says why, without the token."""


class UnreachableError(NodeError):
    """There is no connection to it."""


class SlowError(NodeError):
    """It did not answer in time."""


class BrokenError(NodeError):
    """What it sent is no answer, or too long."""


class NodeAnswer(NamedTuple):
    """What the node answered; header names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Node:
    """The one node that the configuration names; requests may come from several threads."""

    def __init__(self, configuration: Configuration) -> None:
        parts = urlsplit(configuration.url)
        self._host = parts.hostname or ""
        self._port = parts.port
        self._prefix = parts.path.rstrip("/")
        self._timeout_s = configuration.timeout_s
        self._authorization = f"Bearer {configuration.token}" if configuration.token else ""
        self._tls = _tls(configuration) if parts.scheme == "https" else None
        self._breaker = Breaker()

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        timeout_s: float = 0.0,
    ) -> NodeAnswer:
        """Asks the node, and follows no redirect.

        Args:
            method: "GET" or "POST".
            path: percent-encoded, with its query, from a slash on.
            headers: what goes with it but for the token.
            body: of a POST.
            timeout_s: from the first byte sent to the last one received; the configuration's if 0.
                With a limit of its own a slow answer does not make the node count as away.

        Raises:
            AwayError, BusyError: it was not asked.
            NodeError: it did not answer.
        """
        with self._breaker.slot():
            try:
                with self._connection() as connection:
                    limit = timeout_s or self._timeout_s
                    answer = self._exchange(connection, limit, (method, path, headers, body))
            except UnreachableError as fault:
                self._breaker.unreachable(str(fault))
                raise
            except SlowError as fault:
                if not timeout_s:  # else it says little of the node: the caller was impatient
                    self._breaker.slow(str(fault))
                raise
            self._breaker.answered()
            return answer

    @contextmanager
    def _connection(self) -> Iterator[http.client.HTTPConnection]:
        if self._tls is None:
            made = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_S)
        else:
            made = http.client.HTTPSConnection(
                self._host, self._port, timeout=CONNECT_S, context=self._tls
            )
        try:
            made.connect()
        except ssl.SSLError as fault:
            why = getattr(fault, "verify_message", "") or fault.reason or "TLS failed"
            raise UnreachableError(f"its certificate or TLS is not accepted: {why}") from fault
        except OSError as fault:
            why = fault.strerror or str(fault) or "no answer"
            raise UnreachableError(f"no connection to it: {why}") from fault
        try:
            yield made
        finally:
            made.close()

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        limit_s: float,
        request: tuple[str, str, Mapping[str, str], bytes],
    ) -> NodeAnswer:
        method, path, headers, body = request
        sent = dict(headers)
        if self._authorization:
            sent["Authorization"] = self._authorization
        with _time_limit(connection, limit_s) as ran_out:
            try:
                connection.request(method, self._prefix + path, body or None, sent)
                response = connection.getresponse()
                content = _bounded(response)
            except (OSError, http.client.HTTPException) as fault:
                if ran_out.is_set() or isinstance(fault, socket.timeout):
                    raise SlowError(f"no whole answer within {limit_s:g} s") from fault
                raise BrokenError(f"its answer broke off ({type(fault).__name__})") from fault
            if ran_out.is_set():  # cut off where a body without a length may end
                raise SlowError(f"no whole answer within {limit_s:g} s")
        got = {name.lower(): value for name, value in response.getheaders()}
        return NodeAnswer(response.status, got, content)


def _tls(configuration: Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.certificate_authority or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@contextmanager
def _time_limit(
    connection: http.client.HTTPConnection, limit_s: float
) -> Iterator[threading.Event]:
    """Ends the connection when the time is over, however slowly bytes drip in till then.

    A socket's own timeout counts anew with every byte.
    """
    ran_out = threading.Event()
    endpoint = connection.sock
    endpoint.settimeout(limit_s)

    def cut() -> None:
        ran_out.set()
        with contextlib.suppress(OSError):  # it has ended by itself
            endpoint.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(limit_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield ran_out
    finally:
        timer.cancel()


def _bounded(response: http.client.HTTPResponse) -> bytes:
    content = bytearray()
    while piece := response.read(_PIECE):
        content += piece
        if len(content) > MOST_ANSWER_BYTES:
            raise BrokenError(f"its answer is longer than {MOST_ANSWER_BYTES} bytes")
    if response.length:  # read() of so many bytes is content with fewer
        raise http.client.IncompleteRead(b"", response.length)
    return bytes(content)
