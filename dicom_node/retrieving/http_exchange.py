"""Requests to one HTTP server over a connection that is kept: no redirects, no half answers."""

import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from http.client import (
    BadStatusLine,
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    RemoteDisconnected,
)
from urllib.parse import unquote, urlsplit

from dicom_node.retrieving.retriever import CHUNK, LONGEST_S, RetrieveError, RetrieverAwayError
from dicom_node.scu import CONNECT_S, TIMEOUT_S
from dicom_node.settings import TlsSettings
from dicom_node.tls import CallingContext, TlsError, client_context
from dicom_node.tls_faults import handshake_fault


class BrokenError(Exception):
    """The connection ended before the answer did."""


class HttpServer:
    """A server that is asked one thing after the other; for one thread.

    Over https it must show a certificate of an authority of ``tls.trusted`` or, where that is not
    set, of one that this machine trusts.

    Args:
        url: http or https, host, perhaps port, a path before all others, user and password.
        tls: the files of the settings.
        stop: set when the node is to end; an answer under way is broken off then.
    """

    def __init__(self, url: str, tls: TlsSettings, stop: threading.Event) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._secure else 80)
        self._prefix = parts.path.rstrip("/")
        self._headers = _authorization(parts.username, parts.password)
        self._tls = tls
        self._stop = stop
        self._connection: HTTPConnection | None = None
        self._answer: HTTPResponse | None = None
        self.named = f"Orthanc at {parts.scheme}://{self._host}:{self._port}{self._prefix}"
        """Without user and password, for messages."""

    def close(self) -> None:
        """Ends the connection."""
        if self._answer is not None:
            self._answer.close()  # it may hold the socket, where the connection has let go of it
        if self._connection is not None:
            self._connection.close()
        self._answer = self._connection = None

    def ask(self, method: str, path: str, body: bytes | None = None) -> HTTPResponse:
        """The head of the answer, whatever its status; its body is to be read, or ``close`` called.

        Raises:
            BrokenError: the connection, which may have been an old one, ended.
            RetrieverAwayError: there is no connection, or no answer.
        """
        if self._connection is None:
            self._connection = self._connected()
        try:
            self._connection.request(method, self._prefix + path, body, self._headers)
            self._answer = self._connection.getresponse()
        except (OSError, HTTPException) as fault:
            self.close()
            raise self._fault(fault) from fault
        return self._answer

    def pieces(self, answer: HTTPResponse, longest: float) -> Iterator[bytes]:
        """The body, piece by piece; at most ``longest`` bytes.

        Raises:
            RetrieveError: it is longer, or does not say where it ends.
            BrokenError: it ends too soon.
            RetrieverAwayError: the server falls silent, or the node is to end.
        """
        expected, size = answer.length, 0
        if expected is None and not answer.chunked:
            raise RetrieveError(f"{self.named}: its answer does not say how long it is")
        give_up = time.monotonic() + LONGEST_S
        while piece := self._read(answer):
            size += len(piece)
            if max(size, expected or 0) > longest:
                raise RetrieveError(f"{self.named}: sends more than dicom.max_instance_mb")
            if self._stop.is_set():
                raise RetrieverAwayError(f"{self.named}: not asked further: the node ends")
            if time.monotonic() > give_up:
                raise RetrieveError(f"{self.named}: took longer than {LONGEST_S:g} s")
            yield piece
        # http.client raises nothing where a body of known length is cut off
        if expected is not None and size != expected:
            raise BrokenError(f"its answer ended after {size} of {expected} bytes")

    def _read(self, answer: HTTPResponse) -> bytes:
        try:
            return answer.read(CHUNK)
        except (OSError, HTTPException) as fault:
            raise self._fault(fault) from fault

    def _fault(self, fault: OSError | HTTPException) -> BrokenError | RetrieverAwayError:
        if isinstance(fault, TimeoutError):
            return RetrieverAwayError(f"{self.named}: said nothing for {TIMEOUT_S:g} s")
        if isinstance(fault, BadStatusLine) and not isinstance(fault, RemoteDisconnected):
            return RetrieverAwayError(f"{self.named}: does not speak HTTP")
        return BrokenError(f"it broke the connection off ({type(fault).__name__})")

    def _connected(self) -> HTTPConnection:
        context = self._context()
        if context is None:
            connection = HTTPConnection(self._host, self._port, timeout=CONNECT_S)
        else:
            connection = HTTPSConnection(self._host, self._port, timeout=CONNECT_S, context=context)
        try:
            connection.connect()
        except (OSError, UnicodeError) as fault:
            connection.close()
            raise RetrieverAwayError(f"{self.named}: {_why_not(fault, context)}") from fault
        connection.sock.settimeout(TIMEOUT_S)
        return connection

    def _context(self) -> ssl.SSLContext | None:
        if not self._secure:
            return None
        if self._tls.trusted is None:
            return ssl.create_default_context()
        try:
            return client_context(self._tls)
        except TlsError as fault:
            raise RetrieverAwayError(f"{self.named}: {fault}") from fault


def _why_not(fault: OSError | UnicodeError, context: ssl.SSLContext | None) -> str:
    if isinstance(context, CallingContext) and context.fault is not None:
        return context.fault
    if isinstance(fault, ssl.SSLError):
        return handshake_fault(fault)
    return f"does not answer ({fault}); is it running, and are host and port right?"


def _authorization(user: str | None, password: str | None) -> dict[str, str]:
    """RFC 7617; what stands in a URL is percent-encoded."""
    if user is None:
        return {}
    credentials = f"{unquote(user)}:{unquote(password or '')}".encode()
    return {"Authorization": f"Basic {b64encode(credentials).decode()}"}
