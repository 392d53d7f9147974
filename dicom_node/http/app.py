"""The routes of the HTTP service, and the door before them."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dicom_node.http.openapi import openapi
from dicom_node.http.problems import failed, problem, refused
from dicom_node.http.requests import OwnPagesOnly

Missing = Callable[[], Mapping[str, str]]
"""Names what is missing, and says what is wrong with it; empty if all is well."""

PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_NO_STORE = {"Cache-Control": "no-store"}


def make_app(
    *,
    alive: Missing,
    ready: Missing,
    scrape: Callable[[], bytes],
    more: Sequence[BaseRoute] = (),
) -> Starlette:
    """The application.

    Args:
        alive: what of the process has died; called in the event loop, so it must not wait.
        ready: what is missing to receive and to answer; it may ask the database.
        scrape: the metrics, in Prometheus' text format 0.0.4.
        more: further routes.
    """

    async def livez(_request: Request) -> Response:
        return _health(alive())

    async def readyz(_request: Request) -> Response:
        return _health(await run_in_threadpool(ready))

    async def metrics(_request: Request) -> Response:
        text = await run_in_threadpool(scrape)
        return Response(text, headers=_NO_STORE, media_type=PROMETHEUS_TEXT)

    description = openapi()

    async def openapi_json(_request: Request) -> Response:
        return JSONResponse(description)

    app = Starlette(
        routes=[
            Route("/livez", livez),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/openapi.json", openapi_json),
            *more,
        ],
        middleware=[Middleware(ThisMachineOnly), Middleware(OwnPagesOnly)],
        exception_handlers={HTTPException: refused, Exception: failed},
    )
    app.router.redirect_slashes = False
    return app


def _health(missing: Mapping[str, str]) -> Response:
    if not missing:
        return JSONResponse({"status": "ok"}, headers=_NO_STORE)
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "; ".join(f"{part}: {what}" for part, what in missing.items()),
        missing=dict(missing),
    )


class ThisMachineOnly:
    """Answers only requests that are addressed to this machine by a loopback name.

    A web page that a user of this machine opens may have its own host's name resolve to
    127.0.0.1 (DNS rebinding), and its script would then read what we answer. But its requests
    carry that host's name.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers 421 (RFC 9110 15.5.20)."""
        answer: ASGIApp = self._app
        if scope["type"] == "http" and not _names_loopback(Headers(scope=scope).get("host")):
            answer = problem(
                HTTPStatus.MISDIRECTED_REQUEST, "Call this service as localhost or 127.0.0.1."
            )
        await answer(scope, receive, send)


def _names_loopback(host: str | None) -> bool:
    """No host at all comes with HTTP/1.0 only, which no browser speaks."""
    if host is None:
        return True
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
