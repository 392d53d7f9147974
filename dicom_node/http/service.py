"""The HTTP service in a thread of its own, from a bound socket to its graceful end."""

import logging
import socket
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from starlette.types import ASGIApp
from uvicorn import Config, Server

from dicom_node.http.https import https_context
from dicom_node.http.protocol import ImpatientProtocol
from dicom_node.settings import HttpSettings

log = logging.getLogger(__name__)

STOP_S = 2.0


class HttpPortTakenError(Exception):
    """The service cannot listen where the settings say; the message names address and remedy."""


@dataclass(frozen=True)
class HttpLimits:
    """What one caller may ask of the service.

    ``connections`` beyond which a request is answered with 503, ``head_bytes`` of a request line
    with its header fields, ``idle_s`` that a connection may take for a request.
    """

    connections: int = 128
    head_bytes: int = 16_384
    idle_s: int = 10


class HttpService:
    """Listens from ``__enter__`` to ``__exit__``; ``thread`` lives in between."""

    def __init__(
        self, settings: HttpSettings, app: ASGIApp, limits: HttpLimits | None = None
    ) -> None:
        self._settings = settings
        self._config = _config(app, limits or HttpLimits())
        self._server = Server(self._config)
        self.thread = threading.Thread(target=self._run, name="http", daemon=True)
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        """Starts the service.

        Raises:
            HttpPortTakenError: the address is taken or not ours.
            TlsError: a file of ``http.certificate`` or ``http.key`` cannot be used.
        """
        self._config.load()
        self._config.ssl = https_context(self._settings)  # what its own arguments cannot say
        self._socket = _listen(self._settings)
        self.thread.start()
        self._say_where()
        return self

    def _say_where(self) -> None:
        settings = self._settings
        kind = "HTTP" if settings.certificate is None else "HTTPS"
        log.info("%s service on %s:%d", kind, settings.bind, settings.port)
        if settings.is_readable_on_the_network:
            log.warning(
                "HTTP on %s is not encrypted: whoever shares the network can read tokens and "
                "images. Set http.certificate and http.key, or leave the network to a proxy "
                "that speaks HTTPS",
                settings.bind,
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self.thread.join(STOP_S)
        if self.thread.is_alive():
            log.warning("the HTTP service still answers a request and is left behind")

    def _run(self) -> None:
        if self._socket is not None:
            self._server.run([self._socket])


def _listen(settings: HttpSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.bind else socket.AF_INET
    try:
        listening = socket.create_server((settings.bind, settings.port or 0), family=family)
    except OSError as fault:
        raise HttpPortTakenError(
            f"cannot listen on {settings.bind}:{settings.port}: {fault.strerror}. Stop what "
            "listens there (perhaps another node), or set http.port to a free one."
        ) from fault
    # Head and body are written apart: without this (inherited by each connection; asyncio sees to
    # its own sockets only) the second waits 40 ms for the delayed ACK of the first.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _config(app: ASGIApp, limits: HttpLimits) -> Config:
    """No banner, no log but of faults, no signal handlers (it runs in no main thread)."""
    return Config(
        app,
        loop="dicom_node.http.https:ImpatientLoop",
        http=ImpatientProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        workers=1,
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        headers=[("X-Content-Type-Options", "nosniff")],
        limit_concurrency=limits.connections,
        h11_max_incomplete_event_size=limits.head_bytes,
        timeout_keep_alive=limits.idle_s,
        timeout_graceful_shutdown=1,
    )
